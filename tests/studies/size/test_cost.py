"""Costs, counted by hand."""

import pytest
from keras_sparseflow.studies.spec.density_spec import DensitySpec

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.size.cost import Cost, cost, steps_an_epoch
from keras_sparseflow.studies.spec.run_spec import RunSpec

CIFAR10 = DataSize((32, 32, 3), 10, 50_000, 10_000)
CIFAR100 = DataSize((32, 32, 3), 100, 50_000, 10_000)


def network(**values):
    return RunSpec(**{"dense_width": 4, "max_width": 10, "hidden_layers": 2, "batch_size": 8, "epochs": 3, **values})


def test_active_weights_are_the_published_ones():
    shallow = RunSpec(dense_width=308, max_width=3076, hidden_layers=1)
    deep = RunSpec(dense_width=2768, max_width=3076, hidden_layers=4)
    assert cost([shallow], CIFAR10).active_weights == 949_256
    assert cost([deep], CIFAR100).active_weights == 31_765_568


def test_an_arm_stores_its_own_widths_and_both_use_as_many():
    """6 inputs, 3 outputs: dense 6x4 + 4x4 + 4x3, sparse 6x10 + 10x10 + 10x3."""
    for arm, stored in (("dense", 52), ("sparse", 190)):
        found = cost([network(arm=arm)], DataSize((2, 3, 1), 3, 43, 20))
        assert (found.active_weights, found.stored_weights) == (52, stored)


def test_operations_by_hand():
    """5 batches of 8 in each of 3 epochs, and 20 test images: 6 * 120 + 2 * 60 a weight."""
    size = DataSize((2, 3, 1), 3, 43, 20)
    found = cost([network(arm=arm, flow_readings=("steps",)) for arm in ("sparse", "dense")], size)
    a_weight = 6 * 120 + 2 * 60
    assert found == Cost(2, 2 * 15, 104, 242, a_weight * (190 + 52), a_weight * 104)


@pytest.mark.parametrize(("flow_epochs", "ends"), [(0, 0), (1, 1), (2, 2), (11, 3)])
def test_flow_at_the_end_passes_over_the_whole_training_set(flow_epochs, ends):
    size = DataSize((2, 3, 1), 3, 43, 20)
    steps, both = (network(flow_readings=names, flow_epochs=flow_epochs) for names in (("steps",), ("steps", "end")))
    assert cost([both], size).flops - cost([steps], size).flops == ends * 43 * 6 * 190


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
    size, small = (
        DataSize((2, 3, 1), 3, 43, 20),
        {"model": "mlp", "depth": 2, "width": 10, "epochs": 3, "batch_size": 8},
    )
    plain, more = (cost([DensitySpec(**small, **limits, **also)], size) for also in ({}, values))
    assert more.flops - plain.flops == (6 * gradients + 2 * evaluated) * (60 + 30)
    assert more.steps == plain.steps
    whole = [cost([DensitySpec(**{**small, **limits, **values, "diagnostic_samples": n})], size) for n in (43, 500)]
    assert values.keys() == {"diagnostics"} or whole[0] == more
    assert whole[0] == whole[1] or "loss" in values["diagnostics"][0], "no more images than there are"


def test_costs_add_up_and_no_network_costs_nothing():
    specs = [network(seed=seed) for seed in range(5)]
    assert cost(specs, CIFAR10) == cost(specs[:2], CIFAR10) + cost(specs[2:], CIFAR10)
    assert cost([], CIFAR10) == Cost()


def test_an_epoch_drops_the_rest_and_a_batch_larger_than_the_training_set_is_refused():
    assert steps_an_epoch(network(), DataSize((2, 3, 1), 3, 47, 20)) == 5
    with pytest.raises(ValueError, match=r"`batch_size` must be in \[1, 7\].*received 8"):
        cost([network()], DataSize((2, 3, 1), 3, 7, 20))
