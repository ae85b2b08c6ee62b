"""Parts that may be stacked: optimizers that look at single weights, activations that look at single units."""

import keras
import pytest
from keras import ops

from keras_sparseflow.flow import MEASURES, FlowMeasure
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models.keras_network import activation_layer
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.training.population.elementwise import (
    slots_per_weight,
    why_not_elementwise,
    why_not_unitwise,
    why_not_unpadded,
)


def factory(optimizer, **options):
    return lambda learning_rate: optimizer(learning_rate, **options)


@pytest.mark.parametrize("name", OPTIMIZERS.names())
def test_every_optimizer_of_the_table_may(name):
    assert why_not_elementwise(OPTIMIZERS.get(name)) is None


@pytest.mark.parametrize(
    "make",
    [
        factory(keras.optimizers.SGD, momentum=0.9, nesterov=True),
        factory(keras.optimizers.SGD, clipvalue=0.5),
        factory(keras.optimizers.AdamW, weight_decay=0.1),
        factory(keras.optimizers.RMSprop, momentum=0.5, centered=True),
        factory(keras.optimizers.Lion),
        factory(keras.optimizers.Nadam),
        factory(keras.optimizers.Adadelta),
    ],
    ids=["nesterov", "clipvalue", "AdamW", "centered RMSprop", "Lion", "Nadam", "Adadelta"],
)
def test_others_that_look_at_single_weights_may(make):
    assert why_not_elementwise(make) is None


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (factory(keras.optimizers.SGD, clipnorm=1e6), r"its `clipnorm` is a norm over a whole tensor"),
        (factory(keras.optimizers.SGD, global_clipnorm=1e6), r"its `global_clipnorm` is a norm over a whole tensor"),
        (factory(keras.optimizers.Adam, use_ema=True), "`use_ema` is not supported when networks are stacked"),
        (factory(keras.optimizers.Adam, loss_scale_factor=8.0), "`loss_scale_factor` is not supported"),
        (factory(keras.optimizers.Lamb), "its step of a weight depends on other weights"),
        (factory(keras.optimizers.Adafactor), "."),
        (factory(keras.optimizers.Muon), "."),
    ],
    ids=["clipnorm", "global_clipnorm", "ema", "loss scale", "Lamb", "Adafactor", "Muon"],
)
def test_those_that_look_at_whole_tensors_are_refused_with_the_reason(make, reason):
    assert why_not_elementwise(make) is not None
    with pytest.raises(ValueError, match=reason):
        raise ValueError(why_not_elementwise(make))


class Mixing(keras.optimizers.SGD):
    """Moves every weight by the mean of its tensor's gradients."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(keras.ops.zeros_like(gradient) + keras.ops.mean(gradient), variable, learning_rate)


class ScalarRate(keras.optimizers.SGD):
    """Takes its learning rate to be a scalar."""

    def update_step(self, gradient, variable, learning_rate):
        super().update_step(gradient, variable, keras.ops.reshape(learning_rate, ()))


@pytest.mark.parametrize(
    ("optimizer", "reason"),
    [
        (Mixing, "its step of a weight depends on other weights"),
        (ScalarRate, "does not take stacked weights, each member with its own learning rate (InvalidArgumentError)"),
    ],
)
def test_an_optimizer_is_judged_by_what_it_does(optimizer, reason):
    assert reason in why_not_elementwise(factory(optimizer))


@pytest.mark.parametrize(("name", "slots"), [("sgd", 0), ("momentum", 1), ("adam", 2), ("adagrad", 1), ("rmsprop", 1)])
def test_slots_per_weight(name, slots):
    assert slots_per_weight(OPTIMIZERS.get(name)) == slots


def test_slots_per_weight_counts_every_one():
    assert slots_per_weight(factory(keras.optimizers.RMSprop, momentum=0.5, centered=True)) == 3
    assert slots_per_weight(factory(keras.optimizers.Adam, amsgrad=True)) == 3


OVER_UNITS = {"softmax", "log_softmax", "sparsemax"}


@pytest.mark.parametrize("name", ACTIVATIONS.names())
def test_every_other_activation_of_the_table_takes_each_unit_by_itself(name):
    assert (why_not_unitwise(lambda: activation_layer(name)) is None) == (name not in OVER_UNITS)


@pytest.mark.parametrize("layer", [keras.layers.Softmax, keras.layers.LayerNormalization])
def test_activations_in_which_units_depend_on_each_other_are_refused(layer):
    assert why_not_unitwise(layer).startswith("the value of a unit depends on other units")


# --- measures ---------------------------------------------------------------------------------------------------


def entries(gradient, mask):
    """The absolute values of active entries, zero elsewhere."""
    return ops.abs(gradient) if mask is None else ops.where(mask, ops.abs(gradient), 0.0)


def active(gradient, mask):
    return ops.size(gradient) if mask is None else ops.sum(ops.cast(mask, "float32"))


def column_norms(gradient, mask):
    return ops.sqrt(ops.sum(ops.square(entries(gradient, mask)), axis=0))


@pytest.mark.parametrize("name", MEASURES.names())
def test_every_measure_of_the_table_is_blind_to_padding(name):
    assert why_not_unpadded(MEASURES.get(name)) is None


@pytest.mark.parametrize(
    "per_layer",
    [
        lambda gradient, mask: ops.max(ops.abs(gradient)),
        lambda gradient, mask: ops.max(entries(gradient, mask)),
        lambda gradient, mask: ops.max(column_norms(gradient, mask)),
        lambda gradient, mask: ops.sum(entries(gradient, mask)) / ops.cast(active(gradient, mask), "float32"),
    ],
    ids=["largest entry", "largest active entry", "largest column norm", "mean of active entries"],
)
def test_measures_that_do_not_see_padding_may(per_layer):
    assert why_not_unpadded(FlowMeasure(per_layer, sum, "m")) is None


@pytest.mark.parametrize(
    "per_layer",
    [
        lambda gradient, mask: ops.mean(ops.abs(gradient)),
        lambda gradient, mask: ops.mean(entries(gradient, mask)),
        lambda gradient, mask: ops.min(column_norms(gradient, mask)),
        lambda gradient, mask: ops.mean(column_norms(gradient, mask)),
        lambda gradient, mask: ops.sum(ops.abs(gradient)) / gradient.shape[0],
        lambda gradient, mask: ops.sum(ops.abs(gradient)) / gradient.shape[1],
        lambda gradient, mask: ops.mean(ops.abs(gradient)) if mask is None else ops.max(entries(gradient, mask)),
        lambda gradient, mask: ops.max(ops.abs(gradient)) if mask is None else ops.mean(entries(gradient, mask)),
    ],
    ids=[
        "mean", "masked mean", "smallest column norm", "mean column norm", "per row", "per column",
        "mean without a mask", "mean with a mask",
    ],
)  # fmt: skip
def test_measures_that_see_padding_are_refused_with_the_reason(per_layer):
    reason = why_not_unpadded(FlowMeasure(per_layer, sum, "m"))
    assert reason == "its value depends on the size of a kernel, so the padding of narrower networks would change it"
