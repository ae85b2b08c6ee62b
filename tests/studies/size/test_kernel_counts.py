"""Kernels and their active weights: against published counts, by hand, and of both arms of a pair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.comparisons import matched_pair
from keras_sparseflow.studies.size.kernel_counts import counted_kernels, dense_ends, matched_kernels
from keras_sparseflow.studies.spec.run_spec import RunSpec

SMALL = DataSize((2, 3, 1), 3, 43, 20)
CIFAR100 = DataSize((32, 32, 3), 100, 50_000, 10_000)
WRN = {"model": "wide_resnet", "depth": 10, "width": 1, "variant": "SC_BN"}


def counts(spec, size):
    return {kernel.name: kernel.active for kernel in counted_kernels(spec, size)}


@pytest.mark.parametrize(
    ("classes", "hidden_layers", "dense_width", "published"),
    [(10, 1, 308, 949_256), (100, 4, 2768, 31_765_568)],
)
def test_published_counts_of_active_weights(classes, hidden_layers, dense_width, published):
    size = DataSize((32, 32, 3), classes, 50_000, 10_000)
    for arm in matched_pair(3076, dense_width / 3076, hidden_layers=hidden_layers):
        assert sum(counts(arm.spec, size).values()) == published


def test_a_pair_by_hand():
    """6 inputs, 3 classes, two hidden layers of width 4 and 10."""
    sparse, dense = (arm.spec for arm in matched_pair(10, 0.4, hidden_layers=2))
    assert [(kernel.shape, kernel.active) for kernel in counted_kernels(dense, SMALL)] == [
        ((6, 4), 24), ((4, 4), 16), ((4, 3), 12),
    ]  # fmt: skip
    assert [(kernel.shape, kernel.active) for kernel in counted_kernels(sparse, SMALL)] == [
        ((6, 10), 24), ((10, 10), 16), ((10, 3), 12),
    ]  # fmt: skip
    matched = [(of_dense.shape, of_sparse.shape) for of_dense, of_sparse in matched_kernels(sparse, SMALL)]
    assert matched == [((6, 4), (6, 10)), ((4, 4), (10, 10)), ((4, 3), (10, 3))]


@given(
    st.builds(DataSize, st.tuples(*[st.integers(1, 8)] * 3), st.integers(2, 50), st.just(100), st.just(10)),
    st.integers(1, 5),
    st.integers(1, 200),
    st.integers(0, 200),
    st.sampled_from(["dense", "sparse", "active"]),
)
def test_both_arms_of_perceptrons_have_the_same_active_weights_in_every_kernel(size, layers, width, extra, fan_in):
    wide = width + extra
    sparse, dense = matched_pair(wide, width / wide, hidden_layers=layers, init_fan_in=fan_in)
    kernels = counted_kernels(dense.spec, size)
    assert counts(sparse.spec, size) == counts(dense.spec, size) and len(kernels) == layers + 1
    assert all(kernel.active == kernel.size for kernel in kernels)
    assert kernels[0].shape == (size.inputs, width) and dense.labels["dense_width"] == width


def test_the_classifier_alone_may_be_dense():
    """As in the code of ToST's authors, whose masks are of convolutions, the first one and the shortcuts among them."""
    spec = RunSpec.of(**{**WRN, "model": "resnet", "depth": 8}, density=0.1, distribution="global", score="snip")
    plain, convolutions = counted_kernels(spec, CIFAR100), counted_kernels(spec.but(ends="dense_classifier"), CIFAR100)
    assert [kernel.name for kernel in convolutions if kernel.active == kernel.size] == ["output"]
    assert all(kernel.active < kernel.size for kernel in plain)
    size = sum(kernel.size for kernel in convolutions if kernel.name != "output")
    assert sum(kernel.active for kernel in convolutions if kernel.name != "output") == round(0.1 * size)
    assert dense_ends(spec.but(ends="dense_classifier"), CIFAR100) == ("output",)


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 1.0])
@pytest.mark.parametrize(
    "network",
    [WRN, {**WRN, "variant": "BN"}, {"model": "resnet", "depth": 8, "width": 2, "variant": "SC_BN"},
     {"model": "vgg", "depth": 11, "width": 1}, {"model": "mobilenet", "depth": 28, "width": 1},
     {"model": "vit", "depth": 2, "width": 3, "variant": "SC"}],
    ids=lambda network: "-".join(map(str, network.values())),
)  # fmt: skip
def test_both_arms_of_image_networks_do_too(network, fraction):
    sparse, dense = (arm.spec for arm in matched_pair(fraction=fraction, **network))
    assert counts(sparse, CIFAR100) == counts(dense, CIFAR100)
    full = counted_kernels(sparse.but(matched_fraction=None), CIFAR100)
    assert [kernel.shape for kernel in counted_kernels(sparse, CIFAR100)] == [kernel.shape for kernel in full]
    assert all(kernel.active == kernel.size for kernel in counted_kernels(dense, CIFAR100))


def test_kernels_are_counted_at_their_density():
    spec = RunSpec.of(**WRN, density=0.1)
    kernels = {kernel.name: kernel for kernel in counted_kernels(spec, CIFAR100)}
    assert kernels["stem"].active == 43 and kernels["stem"].size == 432 and kernels["stem"].positions == 1024
    assert kernels["output"].shape == (64, 100) and kernels["output"].active == 640
    ends = counts(spec.but(ends="dense"), CIFAR100)
    assert (ends["stem"], ends["output"], ends["group2_block1_conv1"]) == (432, 6400, 461)
    assert dense_ends(spec.but(ends="dense"), CIFAR100) == ("stem", "output") and dense_ends(spec, CIFAR100) == ()
    assert counts(spec.but(density=1.0), CIFAR100) == {kernel.name: kernel.size for kernel in kernels.values()}
    assert counts(RunSpec.of(width=10, hidden_layers=3, density=0.1, ends="dense"), DataSize((4, 4, 1), 3, 48, 12)) == {
        "hidden_1": 160, "hidden_2": 10, "hidden_3": 10, "output": 30,
    }  # fmt: skip


def test_distributions_share_out_the_same_total():
    size = DataSize((4, 4, 1), 3, 50, 20)
    spec = RunSpec.of(**WRN, density=0.25)
    total = sum(kernel.size for kernel in counted_kernels(spec, size))
    erk = counts(spec.but(distribution="erk"), size)
    assert sum(erk.values()) == round(0.25 * total) and erk["stem"] == 144, "the stem is dense"
    together = spec.but(distribution="global", score="snip")
    assert sum(counts(together, size).values()) == round(0.25 * total)
    assert together.decides_over_all and not spec.decides_over_all and not spec.but(density=1.0).decides_over_all


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"density": 0.01}, "0.01 leaves none of the 30 of 'output'"),
        ({"hidden_layers": 1, "density": 0.1, "ends": "dense"}, "`ends` must be 'sparse' .* than hidden_1 and output;"),
        ({**WRN, "depth": 12}, "`depth` must be 6 n \\+ 4 .* received 12"),
        ({**WRN, "density": 0.001}, "leave every kernel at least one active weight; 0.001 leaves none of the 144"),
    ],
)
def test_networks_that_there_are_not_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        counted_kernels(RunSpec.of(**{"width": 10, **values}), DataSize((4, 4, 1), 3, 48, 12))
