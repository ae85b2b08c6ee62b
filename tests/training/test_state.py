"""A network's state by name: every variable once, and nothing of another network is taken."""

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.state import check_state, network_state, optimizer_state, restore_state


def network(optimizer="adam", units=4):
    inputs = keras.Input((5,), name="images")
    hidden = MaskedDense(units, density=0.5, mask_seed=0, name="hidden")(inputs)
    model = SparseModel(inputs, keras.layers.Dense(3, name="output")(keras.layers.BatchNormalization(name="n")(hidden)))
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.optimizer.build(model.trainable_variables)
    return model


def arrays(model):
    return {name: keras.ops.convert_to_numpy(v) for name, v in network_state(model).items()}


def test_names_are_paths_of_weights_and_their_slots():
    names = set(network_state(network()))
    assert {"hidden/kernel", "hidden/mask", "n/gamma", "n/moving_variance", "output/bias"} <= names
    assert {"optimizer/iteration", "optimizer/hidden_kernel_momentum", "optimizer/hidden_kernel_velocity"} <= names
    assert not any("learning_rate" in name for name in names)


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adafactor, keras.optimizers.Adam, keras.optimizers.Lamb])
def test_every_variable_has_a_name_of_its_own(optimizer):
    """Adafactor names the slots of all weights alike."""
    model = network(optimizer(0.1))
    kept = {id(variable) for variable in network_state(model).values()}
    own = [v for v in model.optimizer.variables if not v.path.endswith("learning_rate")]
    assert kept == {id(variable) for variable in (*model.variables, *own)}
    assert len(network_state(model)) == len(kept)


def test_names_that_two_variables_share_are_numbered():
    first, second = (keras.Variable([0.0], name="same") for _ in range(2))
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build([first, second])
    state = optimizer_state(optimizer)
    assert list(state) == ["optimizer/iteration", "optimizer/same_momentum", "optimizer/same_momentum#1"]
    assert state["optimizer/same_momentum"] is not state["optimizer/same_momentum#1"]


@pytest.mark.parametrize("optimizer", ["adam", "ftrl"])
def test_a_restored_network_trains_on_as_the_first_one_does(optimizer):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 5)).astype("float32"), rng.integers(0, 3, 16)
    first, second = network(optimizer), network(optimizer)
    first.fit(x, y, epochs=2, shuffle=False, verbose=0)
    restore_state(network_state(second), arrays(first), "here")
    for model in (first, second):
        model.fit(x, y, shuffle=False, verbose=0)
    for name, array in arrays(first).items():
        np.testing.assert_array_equal(arrays(second)[name], array, err_msg=name)


def test_another_shape_is_refused_by_its_name_and_nothing_is_assigned():
    stored, model = arrays(network(units=6)), network(units=4)
    before = arrays(model)
    message = r"in /runs/x is of another network: expected 'hidden/kernel' .*received.*Remove that"
    with pytest.raises(ValueError, match=message):
        restore_state(network_state(model), stored, "/runs/x")
    for name, array in before.items():
        np.testing.assert_array_equal(arrays(model)[name], array)


@pytest.mark.parametrize(
    ("stored", "odd"),
    [
        ({"a": (2,), "b": (3,)}, None),
        ({"b": (3,), "a": (2,)}, None),
        ({"a": (2,), "b": (4,)}, "b"),
        ({"a": (2,)}, "b"),
        ({"a": (2,), "b": (3,), "c": ()}, "c"),
        ({"a": (2,), "d": (3,)}, "b"),
        ({}, "a"),
    ],
    ids=str,
)
def test_the_first_name_that_differs_is_told(stored, odd):
    stored = {name: np.zeros(shape) for name, shape in stored.items()}
    if odd is None:
        check_state(stored, {"a": (2,), "b": (3,)}, "here")
        return
    with pytest.raises(ValueError, match=f"expected '{odd}' to have the shape"):
        check_state(stored, {"a": (2,), "b": (3,)}, "here")


def test_seed_generators_are_named_by_their_order_in_the_model_and_not_by_those_made_before():
    def dropping():
        layers = [keras.layers.Dropout(0.5, seed=0), keras.layers.Dense(3, name="output"), keras.layers.Dropout(0.5)]
        model = SparseModel(inputs := keras.Input((5,)), keras.Sequential(layers, name="all")(inputs))
        model.compile("sgd", "mse")
        return model

    first, second = dropping(), dropping()
    names = [name for name in network_state(first) if "generator" in name]
    assert names == ["seed_generator/seed_generator_state", "seed_generator_1/seed_generator_state"]
    assert network_state(second).keys() == network_state(first).keys()
    first(np.ones((2, 5), "float32"), training=True)
    restore_state(network_state(second), arrays(first), "here")
    for name in names:
        np.testing.assert_array_equal(arrays(second)[name], arrays(first)[name])
