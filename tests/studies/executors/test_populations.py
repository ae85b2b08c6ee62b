"""Networks that train together come to what each comes to alone: rows, weights, masks, statistics, slots, files."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.studies.executors import executors
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.spec.combined import PARTS, parse_variant
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.training.distributed import device
from tests.plugins.packages import registered
from tests.studies.executing import stopped

pytestmark = pytest.mark.usefixtures("every_epoch")

STEPS_AN_EPOCH = 12  # 48 images in batches of 4


def both_arms(spec, **values):
    return [spec(arm=arm, **values) for arm in ("sparse", "dense")]


def assert_agree(spec, alone, together, rtol=1e-4):
    """Everything that a checkpoint holds: weights, masks, statistics, slots, counters, losses, accuracies, flow."""
    (arrays, progress), (other_arrays, other_progress) = alone[spec.run_id], together[spec.run_id]
    assert set(arrays) == set(other_arrays)
    for name, array in arrays.items():
        assert array.dtype == other_arrays[name].dtype and array.shape == other_arrays[name].shape, name
        scale = np.abs(array).max() if array.dtype.kind == "f" and array.size else 1
        np.testing.assert_allclose(other_arrays[name], array, rtol=rtol, atol=rtol * scale, err_msg=f"{spec} {name}")
    for rows, other_rows in ((progress[n], other_progress[n]) for n in ("history", "flow")):
        pd.testing.assert_frame_equal(pd.DataFrame(other_rows), pd.DataFrame(rows), rtol=rtol, check_like=True)


OVER_UNITS = {"softmax", "log_softmax", "sparsemax"}

# By optimizer: every part of a variant, activation of the paper and other choice in one of them at least.
NETWORKS = {
    "sgd": {
        "learning_rate": 0.02, "variant": "L2_BN", "activation": "elu", "flow_readings": ("end",),
        "batch_size": 20, "norm_place": "after", "init_fan_in": "active",
    },
    "momentum": {
        "learning_rate": 0.005, "variant": "DA_L2_SC_BN", "activation": "relu", "skip_span": 1,
        "optimizer_options": ("momentum.nesterov=true",), "l2_form": "decoupled", "flow_readings": ("end",),
        "flow_mode": "inference",
    },
    "adam": {"learning_rate": 0.002, "variant": "NR", "activation": "sigmoid"},
    "adamw": {
        "learning_rate": 0.002, "variant": "L2_SC", "activation": "prelu", "flow_cost": "data",
        "flow_measures": ("egf_1",), "flow_epochs": 3, "loss": "squared_error",
    },
    # Without BatchNorm: it takes a constant unit's gradient to zero but for rounding, which Adagrad scales up, and
    # which tells SReLU's side.
    "adagrad": {
        "learning_rate": 0.02, "variant": "DA_L2_SC", "activation": "swish", "flow_tensors": "all", "score": "snip",
        "schedule": "cosine", "skip_place": "after", "augment_flip": "never",
    },
    "rmsprop": {
        "learning_rate": 0.001, "variant": "L2", "activation": "srelu",
        "activation_options": ("srelu.left_slope=0.4",), "flow_tensors": "all",
    },
}  # fmt: skip
PAPER = {choices["activation"] for choices in NETWORKS.values()}
OTHERS = [name for name in ACTIVATIONS.names() if name not in PAPER | OVER_UNITS]


def contract(spec, tmp_path, data, seeds=(0, 1), arms=("dense", "sparse"), **values):
    """60 steps of both arms, two widths, two seeds: alone and together."""
    base = {"epochs": 6, "batch_size": 4, "learning_rate": 0.02, "hidden_layers": 3, **values}
    specs = [spec(arm=arm, dense_width=width, seed=seed, **base) for width in (6, 13) for seed in seeds for arm in arms]
    # At width 6: the dense network of seed 0, which is padded, and the sparse one of seed 1.
    compared = [specs[0], specs[3]] if len(seeds) == 2 else specs[:1]
    (planned,) = executors.plan(
        specs, tmp_path, data.input_shape, data.num_classes, "population", Options()
    ).populations
    assert [len(stack.members) for stack in planned.stacks if stack.width == 13] == [2 * len(seeds)], (
        "narrow ones are padded to 13"
    )
    alone = stopped("serial", compared, tmp_path / "alone", data, 4)
    together = stopped("population", specs, tmp_path / "together", data, 4)
    for run_spec in compared:
        assert len(alone[run_spec.run_id][1]["history"]) * STEPS_AN_EPOCH == 60
        assert_agree(run_spec, alone, together)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.names())
def test_every_optimizer_and_every_choice(spec, tmp_path, data, optimizer):
    """Sigmoid is 0.5 where a unit is not there: padding must not reach the raw norms."""
    contract(spec, tmp_path, data, optimizer=optimizer, augment_pad=1, l2=0.05, **NETWORKS[optimizer])


def test_every_part_of_a_variant_and_every_activation_of_the_paper_are_among_them():
    variants = [parse_variant(choices["variant"]) for choices in NETWORKS.values()]
    for part in PARTS:
        assert any(part in variant for variant in variants) and any(part not in variant for variant in variants)
    assert {"relu", "prelu", "elu", "swish", "srelu", "sigmoid"} == PAPER


@pytest.mark.parametrize("names", [OTHERS[first::4] for first in range(4)], ids="-".join)
def test_every_other_activation_of_single_units(spec, tmp_path, data, monkeypatch, names):
    """Several in a sum, in one hidden layer: exponentials of exponentials leave the range of numbers.

    The dense networks are in one stack.
    """
    functions = [ACTIVATIONS.get(name) for name in names]
    registered(monkeypatch, ACTIVATIONS, sum=lambda x: sum(function(x) for function in functions))
    monkeypatch.setattr(device, "parallel_stacks", lambda: 1)
    values = {"activation": "sum", "optimizer": "adam", "learning_rate": 0.002, "hidden_layers": 1}
    contract(spec, tmp_path, data, seeds=(0,), arms=("dense",), **values)


def test_networks_that_train_together_decay_by_their_own_lambda(spec, tmp_path, data):
    """Without any flow, too."""
    choices = ({"variant": "L2", "l2": 0.5}, {"variant": "NR"}, {"variant": "L2", "l2": 2.0})
    base = {"flow_epochs": 0, "epochs": 6, "batch_size": 4, "optimizer": "adamw", "learning_rate": 0.01}
    specs = [s for choice in choices for s in both_arms(spec, **base, **choice)]
    assert (
        len(executors.plan(specs, tmp_path, data.input_shape, data.num_classes, "population", Options()).populations)
        == 1
    )
    compared = [specs[0], specs[3], specs[4]]  # each lambda
    alone = stopped("serial", compared, tmp_path / "alone", data, 4)
    together = stopped("population", specs, tmp_path / "together", data, 4)
    for run_spec in compared:
        assert_agree(run_spec, alone, together)
