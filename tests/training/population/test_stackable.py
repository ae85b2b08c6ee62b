"""The answers about stacking that are written down are those that trials give."""

import functools

import keras
import pytest

from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models.keras_network import activation_layer
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.training.population import elementwise, stackable


def nothing():
    pytest.fail("what is written down is not tried")


@pytest.mark.parametrize("name", OPTIMIZERS.builtins)
def test_optimizers_of_the_package_are_as_written_down(name):
    factory = OPTIMIZERS.get(name)
    assert stackable.slots(name, nothing) == elementwise.slots_per_weight(factory)
    assert stackable.why_not_optimizer(name, nothing) is elementwise.why_not_elementwise(factory) is None


@pytest.mark.parametrize("name", ACTIVATIONS.builtins)
def test_activations_of_the_package_are_as_written_down(name):
    tried = elementwise.why_not_unitwise(functools.partial(activation_layer, name))
    assert stackable.why_not_activation(name, nothing) == tried


@pytest.mark.parametrize("name", MEASURES.builtins)
def test_measures_of_the_package_are_as_written_down(name):
    assert stackable.why_not_measure(name, nothing) is elementwise.why_not_unpadded(MEASURES.get(name)) is None


def test_anything_else_is_tried():
    clipped = functools.partial(keras.optimizers.SGD, clipnorm=1.0, momentum=0.5)
    assert stackable.slots("", lambda: clipped) == 1
    assert "`clipnorm` is a norm" in stackable.why_not_optimizer("", lambda: clipped)
    assert stackable.why_not_activation("", keras.layers.Softmax) == stackable.OF_OTHER_UNITS
    assert stackable.why_not_activation("", keras.layers.ReLU) is None
    assert stackable.why_not_measure("", lambda: MEASURES.get("egf_1")) is None
