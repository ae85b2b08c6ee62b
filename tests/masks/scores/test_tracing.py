"""Scores and diagnostics of layers that TensorFlow has traced before or computes anew."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.diagnostics import loss_along
from keras_sparseflow.diagnostics.hessian import Hessian
from keras_sparseflow.diagnostics.landscape import random_directions
from keras_sparseflow.masks import make_masks, mask_report
from keras_sparseflow.training import measure_flow

pytestmark = pytest.mark.tensorflow("graphs, which are traced once")

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 6)).astype("float32"), np.arange(24) % 3
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


class Block(keras.layers.Layer):
    """A dense layer with BatchNorm, called in one of several ways."""

    def __init__(self, way):
        super().__init__(name="block")
        start = keras.initializers.GlorotUniform(1)
        self.dense = keras.layers.Dense(8, name="dense", kernel_initializer=start)
        self.norm = keras.layers.BatchNormalization(name="norm")
        self.way = way

    def build(self, shape):
        self.dense.build(shape)
        self.norm.build((*shape[:-1], 8))
        wrap = {
            "plain": lambda f: f,
            "remat": lambda f: f,
            "function": tf.function,
            "recompute_grad": tf.recompute_grad,
        }
        self.computed = {mode: wrap[self.way](lambda x, mode=mode: self.compute(mode, x)) for mode in (False, True)}

    def compute(self, training, x):
        return keras.ops.relu(self.norm(self.dense(x), training=training))

    def call(self, x, training=False):
        computed = self.computed[bool(training)]
        return (keras.remat(computed) if self.way == "remat" else computed)(x)


def network(way):
    inputs = keras.Input((6,))
    head = keras.layers.Dense(3, name="head", kernel_initializer=keras.initializers.GlorotUniform(2))
    model = keras.Model(inputs, head(Block(way)(inputs)))
    model.compile("sgd", LOSS)
    model.predict_on_batch(X[:4])  # traces what is to be traced
    return model


SECOND_ORDER = {
    "grasp": lambda model: make_masks(model, 0.4, score="grasp", distribution="global", data=(X, Y)),
    "eigenvalue": lambda model: {"value": Hessian(model, (X, Y)).top_eigenpair(tolerance=1e-2).value},
}
FIRST_ORDER = {
    "snip": lambda model: make_masks(model, 0.4, score="snip", distribution="global", data=(X, Y)),
    "synflow": lambda model: make_masks(model, 0.4, score="synflow", distribution="global"),
    "paths": lambda model: {"on paths": mask_report(model, make_masks(model, 0.4), paths=True).kernels[0].on_paths},
    "loss along": lambda model: {"loss": loss_along(model, (X, Y), random_directions(model, 1)[0], steps=3)["loss"]},
    "flow": lambda model: {"flow": [row["value"] for row in measure_flow(model, (X, Y))]},
}


@pytest.fixture(scope="module")
def plain():
    return {name: compute(network("plain")) for name, compute in {**FIRST_ORDER, **SECOND_ORDER}.items()}


@pytest.mark.parametrize("way", ["function", "remat", "recompute_grad"])
def test_they_are_those_of_the_plain_layer_and_the_model_trains_on(way, plain):
    model = network(way)
    computed = {**FIRST_ORDER, **({} if way == "recompute_grad" else SECOND_ORDER)}
    for name, compute in computed.items():
        found = compute(model)
        assert found.keys() == plain[name].keys()
        for key, value in found.items():
            np.testing.assert_allclose(value, plain[name][key], rtol=1e-4, err_msg=f"{name} of {key}")
    model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("name", SECOND_ORDER)
def test_second_derivatives_of_what_tensorflow_computes_anew_are_refused(name):
    with pytest.raises(ValueError, match="`tf.recompute_grad`"):
        SECOND_ORDER[name](network("recompute_grad"))
