"""The answers about stacking that are written down are those that trials give."""

import pytest

from keras_sparseflow import register
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.models.keras_network import activation_layer
from keras_sparseflow.studies.executors import stackable
from keras_sparseflow.studies.run.recipe import optimizer_factory
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training.population import elementwise


def network(**values):
    return RunSpec.of(**{"width": 12, "density": 0.5, **values})


@pytest.mark.parametrize("name", OPTIMIZERS.builtins)
def test_optimizers_of_the_package_are_as_written_down(name):
    spec = network(optimizer=name)
    assert stackable.answers_known(spec)
    assert stackable.slots(spec) == elementwise.slots_per_weight(optimizer_factory(spec))
    assert stackable.why_not_optimizer(spec) is elementwise.why_not_elementwise(optimizer_factory(spec)) is None


@pytest.mark.parametrize("name", ACTIVATIONS.builtins)
def test_activations_of_the_package_are_as_written_down(name):
    spec = network(activation=name)
    tried = elementwise.why_not_unitwise(lambda: activation_layer(name))
    assert stackable.answers_known(spec) and stackable.why_not_activation(spec) == tried


@pytest.mark.parametrize("name", MEASURES.builtins)
def test_measures_of_the_package_are_as_written_down(name):
    assert stackable.answers_known(network(flow_measures=(name,)))
    assert stackable.why_not_measure(name) is elementwise.why_not_unpadded(MEASURES.get(name)) is None


@pytest.mark.parametrize(
    ("values", "asked", "answer"),
    [
        ({"optimizer_options": ("sgd.momentum=0.5",)}, stackable.slots, 1),
        ({"optimizer_options": ("sgd.clipnorm=1",)}, stackable.why_not_optimizer, "its `clipnorm` is a norm"),
        ({"activation": "prelu", "activation_options": ("prelu.trainable=false",)}, stackable.why_not_activation, None),
    ],
)
def test_what_has_options_is_tried(values, asked, answer):
    spec = network(**values)
    assert not stackable.answers_known(spec)
    assert asked(spec) == answer or asked(spec).startswith(answer)


def test_what_is_not_the_packages_own_is_tried(request):
    import keras

    register("optimizer", "norms", keras.optimizers.Lamb)
    register("activation", "shares", keras.activations.softmax)
    for table, name in ((OPTIMIZERS, "norms"), (ACTIVATIONS, "shares")):
        request.addfinalizer(lambda table=table, name=name: table.unregister(name))
    assert not stackable.answers_known(network(optimizer="norms")) and not stackable.answers_known(
        network(activation="shares")
    )
    assert stackable.why_not_optimizer(network(optimizer="norms")) == "its step of a weight depends on other weights"
    assert stackable.why_not_activation(network(activation="shares")) == stackable._OF_OTHER_UNITS
