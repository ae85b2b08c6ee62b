"""Gradients are masked on every Keras backend, and what runs on TensorFlow alone says so in one line."""

import keras
import numpy as np
import pytest

import keras_sparseflow as ks
from keras_sparseflow import diagnostics, masks, training
from keras_sparseflow.studies.run_study import run_network, run_study
from keras_sparseflow.twins import sparsify
from tests.backend import BACKEND, gradients_of_variables

X, Y = np.ones((4, 3), "float32"), np.zeros(4, "int32")
SCORED = {"snip": "snip_scores", "grasp": "grasp_scores", "synflow": "synflow_scores"}


def model():
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="hidden")])


def scored(score):
    return lambda: sparsify(model(), 0.5, score=score, data=(X, Y))


TENSORFLOW_ALONE = {
    "SparseModel": ks.SparseModel,
    "GradientFlow": ks.GradientFlow,
    "measure_flow": lambda: ks.measure_flow(model(), (X, Y)),
    "flow_of_gradients": lambda: training.flow_of_gradients(model(), []),
    "RigL": ks.RigL,
    "SET": ks.SET,
    "GradualMagnitude": lambda: ks.GradualMagnitude(0.5, begin_step=1, end_step=9),
    "MagnitudePruning": ks.MagnitudePruning,
    "GhostSchedule": lambda: ks.GhostSchedule(3),
    "RewindPoint": ks.RewindPoint,
    "rescale_init": lambda: ks.rescale_init(model(), (X, Y)),
    "Hessian": lambda: diagnostics.Hessian(model(), (X, Y)),
    "loss_along": lambda: ks.loss_along(model(), (X, Y), {}),
    "loss_surface": lambda: ks.loss_surface(model(), (X, Y)),
    "activation_sparsity": lambda: ks.activation_sparsity(model(), (X, Y)),
    "TopEigenvalue": lambda: ks.TopEigenvalue((X, Y)),
    "ActivationSparsity": lambda: ks.ActivationSparsity((X, Y)),
    "mask_report(paths=True)": lambda: ks.mask_report(model(), {"hidden": np.ones((3, 2), bool)}, paths=True),
    "loss_gradients": lambda: masks.loss_gradients(None),
    "hessian_products": lambda: masks.hessian_products(None, []),
    "run_study": lambda: run_study(None),
    "run_network": lambda: run_network({}),
    **{name: scored(score) for score, name in SCORED.items()},
}

ANY_BACKEND = {"Eigenpair", "Rescaling", "SmoothedCrossEntropy", "random_directions", "rewind", "weights_of"}


def test_each_public_name_of_training_and_diagnostics_is_tensorflows_alone_or_not():
    assert {*training.__all__, *diagnostics.__all__} - set(TENSORFLOW_ALONE) == ANY_BACKEND


@pytest.mark.parametrize("feature", TENSORFLOW_ALONE)
def test_a_feature_of_tensorflow_alone_says_so_in_one_line(feature, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(RuntimeError) as caught:
        TENSORFLOW_ALONE[feature]()
    assert str(caught.value) == (
        f"`{feature}` runs on TensorFlow alone: set KERAS_BACKEND=tensorflow before Keras is imported; "
        "received the backend 'jax'."
    )


def test_gradients_are_those_of_active_weights_and_within_dense_gradients_of_all():
    layer = ks.MaskedDense(4, density=0.5, mask_seed=0, use_bias=False)
    layer.build((None, 3))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    kernel, mask = (keras.ops.convert_to_numpy(variable) for variable in (layer.kernel, layer.mask))
    full = 2 * x.T @ (x @ kernel)

    def found():
        return gradients_of_variables(lambda: keras.ops.sum(layer(x) ** 2), [layer.kernel])[0]

    np.testing.assert_allclose(found(), np.where(mask, full, 0), rtol=1e-5)
    with ks.dense_gradients(layer):
        np.testing.assert_allclose(found(), full, rtol=1e-5)
    np.testing.assert_allclose(found(), np.where(mask, full, 0), rtol=1e-5)


def test_a_layer_that_is_built_in_a_symbolic_call_trains_behind_its_mask():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.layer = ks.MaskedDense(4, density=0.5, mask_seed=0)

        def call(self, inputs):
            return self.layer(inputs)

    model = Subclassed()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = keras.ops.convert_to_numpy(model(X)), [variable.path for variable in model.layer.trainable_variables]
    model.fit(X, np.full((4, 4), 3.0), verbose=0)
    layer = model.layer
    kernel, mask = (keras.ops.convert_to_numpy(variable) for variable in (layer.kernel, layer.mask))
    assert np.array_equal(kernel != 0, mask) and len(before[1]) == 2
    assert not np.array_equal(before[0], keras.ops.convert_to_numpy(model(X)))


@pytest.mark.skipif(BACKEND != "jax", reason="An optimizer's step reads masks, as the tests of layers show.")
def test_an_optimizer_that_moves_zeros_is_refused_on_jax():
    inputs = keras.Input((3,))
    model = keras.Model(inputs, ks.MaskedDense(4, density=0.5, mask_seed=0)(inputs))
    model.compile(keras.optimizers.Muon(), "mse")
    with pytest.raises(ValueError, match="received Muon, which moves inactive weights, whose mask a step on JAX"):
        model.fit(X, np.zeros((4, 4)), verbose=0)
