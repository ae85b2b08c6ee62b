"""Costs, counted by hand, and in words."""

import functools

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.comparisons import matched_pair
from keras_sparseflow.studies.size.cost import Cost, cost, cost_line, counted, short, steps_an_epoch
from keras_sparseflow.studies.spec.run_spec import RunSpec

SIZE = DataSize((2, 3, 1), 3, 43, 20)
TRAINING = {"batch_size": 8, "epochs": 3}


def network(**values):
    return RunSpec.of(**{"width": 10, "hidden_layers": 1, **TRAINING, **values})


def pair(**values):
    """6 inputs, 3 outputs: dense 6x4 + 4x4 + 4x3, sparse 6x10 + 10x10 + 10x3."""
    return [arm.spec for arm in matched_pair(10, 0.4, hidden_layers=2, **TRAINING, **values)]


def test_an_arm_stores_its_own_widths_and_both_use_as_many():
    found = [(each.active_weights, each.stored_weights) for each in (cost([arm], SIZE) for arm in pair())]
    assert found == [(52, 190), (52, 52)]


def test_operations_by_hand():
    """5 batches of 8 in each of 3 epochs, and 20 test images: 6 * 120 + 2 * 60 a weight."""
    found = cost(pair(flow_readings=("steps",)), SIZE)
    a_weight = 6 * 120 + 2 * 60
    assert found == Cost(2, 2 * 15, 104, 242, a_weight * (190 + 52), a_weight * 104)


def test_operations_of_convolutions_by_hand():
    """3 batches of 16 in each of 4 epochs, and 20 test images: 6 * 192 + 2 * 80 for each product.

    On 4x4 images the groups of blocks stand at 4x4, 2x2 and 1x1; the kernels of 16, 32 and 64 channels are 3x3, the
    shortcuts 1x1, the stem has one input channel and the classifier 3 outputs.
    """
    size = DataSize((4, 4, 1), 3, 50, 20)
    training = {"variant": "SC_BN", "batch_size": 16, "epochs": 4, "flow_epochs": 2}
    image = functools.partial(RunSpec.of, model="wide_resnet", depth=10, width=1, **training)
    of_steps = functools.partial(image, flow_readings=("steps",))  # measured in the training itself
    products = 16 * (9 * 16 + 2 * 9 * 16**2) + 4 * (9 * 16 * 32 + 9 * 32**2 + 16 * 32)
    products += 9 * 32 * 64 + 9 * 64**2 + 32 * 64 + 64 * 3
    an_image = 6 * 192 + 2 * 80
    dense = cost([of_steps()], size)
    assert (dense.steps, dense.flops, dense.active_flops) == (12, an_image * products, an_image * products)
    sparse = cost([of_steps(density=0.25)], size)
    assert sparse.flops == dense.flops and sparse.active_flops == pytest.approx(dense.flops / 4, rel=1e-3)
    at_once, gradual = (of_steps(density=0.25, method="magnitude", prune_until=until) for until in (0.5, 0.9))
    assert cost([at_once], size).active_flops == pytest.approx(dense.flops * (1 + 0.25) / 2, rel=1e-3)
    decaying = dense.flops * (0.5 + 0.4 * (0.25 + 0.75 * 0.25) + 0.1 * 0.25)
    assert cost([gradual], size).active_flops == pytest.approx(decaying, rel=1e-3)
    measured = cost([image()], size)  # at the end of two epochs, on all 50 training images
    assert measured.flops == (an_image + 6 * 2 * 50) * products


def test_a_later_round_of_a_ticket_leaves_out_its_first_steps():
    first, later = (network(method="lottery", rewind_step=7, density=density) for density in (1.0, 0.5))
    plain = network(density=0.5)
    assert [cost([spec], SIZE).steps for spec in (first, later, plain)] == [15, 8, 15]
    saved = cost([plain], SIZE).flops - cost([later], SIZE).flops
    assert saved == (6 * (7 * 8 + 43) + 2 * 20) * (60 + 30), "its steps, and flow and test of the first epoch"


@pytest.mark.parametrize(("flow_epochs", "ends"), [(0, 0), (1, 1), (2, 2), (11, 3)])
def test_flow_at_the_end_passes_over_the_whole_training_set(flow_epochs, ends):
    steps, both = (network(flow_readings=names, flow_epochs=flow_epochs) for names in (("steps",), ("steps", "end")))
    assert cost([both], SIZE).flops - cost([steps], SIZE).flops == ends * 43 * 6 * (60 + 30)


@pytest.mark.parametrize(
    ("values", "gradients", "evaluated"),
    [
        ({"diagnostics": ("top_eigenvalue",)}, 2 * 2 * 30 * 7, 0),
        ({"diagnostics": ("activation_sparsity",)}, 0, 2 * 7),
        ({"diagnostics": ("loss_along",)}, 2 * 30 * 7, 5 * 7),
        ({"diagnostics": ("loss_surface",)}, 0, 25 * 7),
        ({"tweaks": "LRsI", "rescale_iterations": 4}, 3 * 4 * 8, 0),
    ],
)
def test_diagnostics_and_rescaling_have_their_cost(values, gradients, evaluated):
    """2 epochs in which something is measured, 30 products at most, 7 images, 5 points; batches of 8 images."""
    limits = {"diagnostic_epochs": 2, "diagnostic_samples": 7, "eigenvalue_iterations": 30, "landscape_steps": 5}
    plain, more = (cost([network(**limits, **also)], SIZE) for also in ({}, values))
    assert more.flops - plain.flops == (6 * gradients + 2 * evaluated) * (60 + 30)
    assert more.steps == plain.steps
    whole = [cost([network(**{**limits, **values, "diagnostic_samples": n})], SIZE) for n in (43, 500)]
    assert values.keys() == {"diagnostics"} or whole[0] == more
    assert whole[0] == whole[1] or "loss" in values["diagnostics"][0], "no more images than there are"


def test_costs_add_up_and_no_network_costs_nothing():
    specs = [network(seed=seed) for seed in range(5)]
    assert cost(specs, SIZE) == cost(specs[:2], SIZE) + cost(specs[2:], SIZE)
    assert cost([], SIZE) == Cost()


def test_an_epoch_drops_the_rest_and_a_batch_larger_than_the_training_set_is_refused():
    assert steps_an_epoch(network(), DataSize((2, 3, 1), 3, 47, 20)) == 5
    with pytest.raises(ValueError, match=r"`batch_size` must be in \[1, 7\].*received 8"):
        cost([network()], DataSize((2, 3, 1), 3, 7, 20))


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (7, "7"), (999, "999"), (999.7, "1 k"), (1000, "1 k"), (1234, "1.23 k"), (949_256, "949 k"),
     (999_999, "1 M"), (31_765_568, "31.8 M"), (2.04e17, "204 P"), (3.26e19, "32.6 E"), (5e24, "5e+03 Z")],
)  # fmt: skip
def test_numbers_have_three_digits_and_a_prefix(number, text):
    assert short(number) == text


def test_a_noun_takes_an_s_unless_it_is_one():
    assert [counted(number, "run") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]


def test_a_cost_in_words():
    assert cost_line(Cost(1, 1500, 949_256, 9_480_000, 10**15, 10**14)) == (
        "1 network, 1.5 k gradient steps; 949 k active of 9.48 M stored weights; 1 PFLOP, of which active weights "
        "alone would need 100 TFLOP."
    )
