"""Networks that train together come to what each comes to alone: rows, weights, masks, statistics, slots, files."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.studies.spec.combined import PARTS, parse_variant
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.training.distributed import device
from tests.backend import untraced
from tests.plugins.packages import registered
from tests.studies.executing import plan, stopped

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("every_epoch")]


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
SPARSE = {"matched_fraction": None, "density": 0.3}

# By optimizer: what all networks share, and how the one that is compared is sparse. Every part of a variant, activation
# of the paper and other choice is in one of them at least.
NETWORKS = {
    "sgd": (
        {
            "learning_rate": 0.02, "variant": "L2_BN", "activation": "elu", "flow_readings": ("end",),
            "batch_size": 20, "norm_place": "after",
        },
        {"matched_fraction": 0.5, "init_fan_in": "active"},
    ),
    "momentum": (
        {
            "learning_rate": 0.005, "variant": "DA_L2_SC_BN", "activation": "relu", "skip_span": 1,
            "optimizer_options": ("momentum.nesterov=true",), "l2_form": "decoupled", "flow_readings": ("end",),
            "flow_mode": "inference",
        },
        {**SPARSE, "tweaks": "LRsI", "rescale_iterations": 3},
    ),
    "adam": (
        {"learning_rate": 0.002, "variant": "NR", "activation": "sigmoid", "tweaks": "LS"},
        {**SPARSE, "distribution": "erk"},
    ),
    "adamw": (
        {
            "learning_rate": 0.002, "variant": "L2_SC", "activation": "prelu", "flow_cost": "data",
            "flow_measures": ("egf_1",), "flow_readings": ("steps",), "loss": "squared_error", "skip_span": 1,
        },
        {"matched_fraction": None},
    ),
    # Without BatchNorm: it takes a constant unit's gradient to zero but for rounding, which Adagrad scales up, and
    # which tells SReLU's side.
    "adagrad": (
        {
            "learning_rate": 0.02, "variant": "DA_L2_SC", "activation": "swish", "flow_tensors": "all",
            "schedule": "cosine", "skip_place": "after", "augment_flip": "never", "skip_span": 1,
        },
        {**SPARSE, "score": "snip", "score_samples": 4, "distribution": "global"},
    ),
    "rmsprop": (
        {
            "learning_rate": 0.001, "variant": "L2", "activation": "srelu",
            "activation_options": ("srelu.left_slope=0.4",), "flow_tensors": "all", "flow_readings": ("steps",),
            "tweaks": "LS", "smoothing_over": "others",
        },
        {**SPARSE, "ends": "dense"},
    ),
}  # fmt: skip
PAPER = {shared["activation"] for shared, _ in NETWORKS.values()}
OTHERS = [name for name in ACTIVATIONS.names() if name not in PAPER | OVER_UNITS]


def contract(compared, others, tmp_path, data):
    """A network alone, and padded in the stack of networks that are wider: two of their epochs, of 3 steps."""
    (planned,) = plan("population", [compared, *others], tmp_path, data).populations
    stack = next(stack for stack in planned.stacks if planned.specs.index(compared) in stack.members)
    assert stack.width > compared.model.width
    with untraced():  # populations are compiled all the same
        alone = stopped("serial", [compared], tmp_path / "alone", data, 1)
        together = stopped("population", [compared, *others], tmp_path / "together", data, 1)
    assert_agree(compared, alone, together)


@pytest.mark.parametrize("optimizer", OPTIMIZERS.names())
def test_every_optimizer_and_every_choice(spec, pair, tmp_path, data, monkeypatch, optimizer):
    # Beside a matched pair and a network of another density. Sigmoid is 0.5 where a unit is not there: padding must not
    # reach the raw norms.
    shared, own = NETWORKS[optimizer]
    base = {"epochs": 3, "flow_epochs": 2, "batch_size": 16, "hidden_layers": 2, "augment_pad": 1, "l2": 0.05, **shared}
    monkeypatch.setattr(device, "parallel_stacks", lambda: 1)
    compared = spec(**{**base, "optimizer": optimizer, "width": 13, "seed": 1, **own})
    others = [*pair(**{**base, "optimizer": optimizer}), spec(**base, optimizer=optimizer, **{**SPARSE, "width": 17})]
    contract(compared, others, tmp_path, data)


def test_every_part_of_a_variant_and_every_activation_of_the_paper_are_among_them():
    variants = [parse_variant(shared["variant"]) for shared, _ in NETWORKS.values()]
    for part in PARTS:
        assert any(part in variant for variant in variants) and any(part not in variant for variant in variants)
    assert {"relu", "prelu", "elu", "swish", "srelu", "sigmoid"} == PAPER


@pytest.mark.parametrize("names", [OTHERS[first::3] for first in range(3)], ids="-".join)
def test_every_other_activation_of_single_units(spec, tmp_path, data, monkeypatch, names):
    """Several in a sum, in one hidden layer: exponentials of exponentials leave the range of numbers."""
    functions = [ACTIVATIONS.get(name) for name in names]
    registered(monkeypatch, ACTIVATIONS, sum=lambda x: sum(function(x) for function in functions))
    monkeypatch.setattr(device, "parallel_stacks", lambda: 1)
    values = {"activation": "sum", "optimizer": "adam", "learning_rate": 0.002, "batch_size": 8}
    values |= {"flow_epochs": 1, "flow_readings": ("steps",), "flow_measures": ("grad_norm_1",)}
    networks = [spec(**values, matched_fraction=None, width=width) for width in (6, 13)]
    contract(networks[0], networks[1:], tmp_path, data)


def test_networks_that_train_together_decay_by_their_own_lambda(spec, tmp_path, data):
    """Without any flow, too."""
    base = {"flow_epochs": 0, "batch_size": 8, "optimizer": "adamw", "learning_rate": 0.01}
    choices = ({"variant": "L2", "l2": 0.5}, {"variant": "NR"}, {"variant": "L2", "l2": 2.0})
    specs = [spec(**base, **choice) for choice in choices]
    assert len(plan("population", specs, tmp_path, data).populations) == 1
    with untraced():
        alone = stopped("serial", specs, tmp_path / "alone", data, 0)
    together = stopped("population", specs, tmp_path / "together", data, 0)
    for run_spec in specs:
        assert_agree(run_spec, alone, together)
