"""The training of a spec: where L2 goes, what learning rates follow, which arguments are refused before training."""

import numpy as np
import pytest

from keras_sparseflow.studies.run.recipe import (
    check_arguments,
    l2_decay,
    l2_penalty,
    learning_rates,
    loss,
    optimizer_factory,
)
from keras_sparseflow.training.losses import SquaredError


@pytest.mark.parametrize(
    ("values", "penalty", "decay"),
    [
        ({"variant": "NR"}, 0, 0),
        ({"variant": "L2"}, 0.3, 0),
        ({"variant": "L2_BN", "optimizer": "adam"}, 0.3, 0),
        ({"variant": "L2", "optimizer": "adamw"}, 0, 0.3),
        ({"variant": "BN", "optimizer": "adamw"}, 0, 0),
        ({"variant": "L2", "optimizer": "adamw", "l2_form": "loss"}, 0.3, 0),
        ({"variant": "L2", "l2_form": "decoupled"}, 0, 0.3),
        ({"variant": "NR", "l2_form": "decoupled"}, 0, 0),
    ],
    ids=str,
)
def test_l2_is_a_term_of_the_loss_or_decoupled_and_never_both(spec, values, penalty, decay):
    assert (l2_penalty(spec(l2=0.3, **values)), l2_decay(spec(l2=0.3, **values))) == (penalty, decay)


def test_a_schedule_spans_the_whole_training(spec, data):
    """3 epochs of 48 // 16 steps."""
    rates = learning_rates(spec(schedule="step", batch_size=16), 0.1, data)
    np.testing.assert_allclose([float(rates(n)) for n in (0, 4, 5, 6, 7, 8)], [0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3])
    assert learning_rates(spec(), 0.1, data) == 0.1


def test_the_optimizer_gets_its_arguments(spec):
    made = optimizer_factory(spec(optimizer="rmsprop", optimizer_options=("rmsprop.rho=0.5",)))(learning_rate=0.1)
    assert made.rho == 0.5


def test_the_loss_is_the_spec_s(spec):
    assert isinstance(loss(spec(loss="squared_error")), SquaredError)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"optimizer_options": ("sgd.rho=0.5",)}, r"`optimizer_options` must be arguments .*nesterov.*'sgd.rho=0.5'"),
        ({"optimizer_options": ("sgd.learning_rate=1",)}, "must leave `learning_rate` to `learning_rate`; .*rate=1"),
        ({"optimizer_options": ("sgd.weight_decay=1",)}, "must leave `weight_decay` to `l2` and `l2_form`.*decay=1"),
        ({"optimizer_options": ("sgd.momentum=7",)}, r"`optimizer_options`.*'sgd.momentum=7'"),
        (
            {"activation": "prelu", "activation_options": ("prelu.alpha=0.5",)},
            r"`activation_options` must be arguments .*slope.*'prelu.alpha=0.5'",
        ),
        ({"activation_options": ("relu.slope=1",)}, "`activation_options`.*is a function without arguments"),
    ],
    ids=str,
)
def test_arguments_that_are_not_taken_are_refused(spec, values, message):
    with pytest.raises(ValueError, match=message):
        check_arguments([spec(), spec(**values)])


def test_arguments_that_are_taken_pass(spec):
    check_arguments([
        spec(optimizer="adam", optimizer_options=("adam.amsgrad=true",)),
        spec(activation="srelu", activation_options=("srelu.left_slope=0",)),
    ])  # fmt: skip
