"""Sparse models in training: flow, masks that move, pruning, against the masked model."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_sparseflow.diagnostics import Hessian
from keras_sparseflow.layers import SparseDense, kernels_by
from keras_sparseflow.masks import make_masks
from keras_sparseflow.training import (
    SET,
    GradientFlow,
    GradualMagnitude,
    RigL,
    SparseModel,
    measure_flow,
    rewind,
    weights_of,
)
from keras_sparseflow.training.recorder import FlowRecorder, flow_of_gradients
from keras_sparseflow.twins import to_masked, to_sparse
from tests.twins.sparse import data, masked_model

pytestmark = pytest.mark.slow

FIT = {"batch_size": 16, "shuffle": False, "verbose": 0}


def twins(**arguments):
    """Returns a masked model and its sparse twin, which shares no variable with it."""
    model = masked_model(SparseModel, **arguments)
    return model, to_sparse(model, min_entries=0)


def values_of(rows):
    return {(row["epoch"], row["reading"], row["measure"], row["layer"]): row["value"] for row in rows}


def same(rows, expected, rtol=1e-5):
    found, expected = values_of(rows), values_of(expected)
    assert found.keys() == expected.keys()
    assert np.allclose([found[key] for key in expected], list(expected.values()), rtol=rtol)


@pytest.mark.parametrize(
    ("by", "cost", "tensors"),  # each two of them together
    [
        ("numba", "total", "kernels"),
        ("numba", "data", "all"),
        ("tensorflow", "total", "all"),
        ("tensorflow", "data", "kernels"),
    ],
)
def test_flow_of_steps_and_of_epochs_is_that_of_the_masked_model(by, cost, tensors):
    rows = []
    with kernels_by(by):
        for model in twins(l2=0.1):
            flow = GradientFlow(data=data(), epochs=[1], cost=cost, tensors=tensors, readings=["steps", "end"])
            if cost == "data":
                flow = GradientFlow(epochs=[1], cost=cost, tensors=tensors)
            model.fit(*data(), epochs=2, callbacks=[flow], **FIT)
            rows.append(flow.rows)
    same(*rows)


def test_egf_is_that_of_the_gradient_of_the_values_alone():
    _, model = twins()
    layer = model.layers[1]
    rows = values_of(measure_flow(model, data(), measures=["egf_2"]))
    with tf.GradientTape() as tape:
        loss = model.compute_loss(*data(), model(data()[0]))
    gradient = tape.gradient(loss, layer.values.value)
    assert np.isclose(rows[0, "end", "egf_2", "hidden"], np.linalg.norm(gradient), rtol=1e-5)


@pytest.mark.parametrize("measures, products", [(["egf_1", "egf_2"], 0), (["egf_1", "grad_norm_2"], 2)])
def test_whole_gradients_are_computed_in_measured_steps_alone_and_only_if_a_measure_needs_them(measures, products):
    _, model = twins()
    model.attach(FlowRecorder(model, measures))
    batches = iter(tf.data.Dataset.from_tensors(data()).repeat())
    with kernels_by("numba"):
        graph = tf.function(lambda: model.train_step(next(batches)), autograph=False).get_concrete_function().graph

    def transposed(nodes):
        return sum(node.op == "MatMul" and node.attr["transpose_a"].b for node in nodes)

    definition = graph.as_graph_def()
    assert transposed(definition.node) == 1, "the dense head's"
    assert sum(transposed(function.node_def) for function in definition.library.function) == products


def test_gradients_of_ones_own_loop_have_no_raw_norms():
    _, model = twins()
    with tf.GradientTape() as tape:
        loss = model.compute_loss(*data(), model(data()[0]))
    gradients = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    expected = measure_flow(model, data(), measures=["egf_1"])
    same(flow_of_gradients(model, gradients, measures=["egf_1"], reading="end"), expected)
    with pytest.raises(ValueError, match="of active weights alone, such as egf_2.*'hidden'.*received grad_norm_1"):
        flow_of_gradients(model, gradients, measures=["grad_norm_1"])


def test_a_layer_within_a_function_of_its_own_has_no_raw_norm():
    layer = SparseDense(3, density=0.2, mask_seed=0)
    layer.build((None, 30))
    inner = tf.function(layer)

    class Within(SparseModel):
        def __init__(self):
            super().__init__()
            self.layer = layer

        def call(self, x):
            return inner(x)

    model = Within()
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model(data()[0])
    assert measure_flow(model, data(), measures=["egf_1"])[0]["value"] > 0
    with pytest.raises(ValueError, match="is not known: its sparse layer runs within"):
        measure_flow(model, data(), measures=["grad_norm_1"])


@pytest.mark.parametrize(
    ("callback", "optimizer"),  # a new mask moves an optimizer's slots in the same way for every callback
    [
        (lambda: RigL(end_step=30, frequency=4), keras.optimizers.Adam),
        (lambda: RigL(end_step=30, frequency=4, cost="total"), keras.optimizers.Adagrad),
        (lambda: SET(end_step=30, frequency=4, seed=3), keras.optimizers.Adagrad),
        (lambda: GradualMagnitude(0.05, 5, 17, frequency=4, initial_density=0.1), keras.optimizers.Adam),
    ],
    ids=["rigl", "rigl, total", "set", "gradual"],
)
def test_masks_move_as_those_of_the_masked_model(callback, optimizer):
    results = []
    for model in twins(optimizer=optimizer(0.02), l2=0.01):
        moves, flow = callback(), GradientFlow(data=data(), epochs=[3], readings=["steps", "end"])
        history = model.fit(*data(), epochs=4, callbacks=[moves, flow], **FIT)
        results.append((model, moves.rows, history.history["loss"], flow.rows))
    (masked, *expected), (sparse, *found) = results
    assert found[0] == expected[0] and len(found[0]) >= 4
    assert np.allclose(found[1], expected[1], rtol=1e-4)
    same(found[2], expected[2], rtol=1e-3)
    for ours, theirs in zip(sparse.layers[1:3], masked.layers[1:3], strict=True):
        assert np.array_equal(ours.mask, theirs.mask) and np.allclose(ours.kernel, theirs.kernel, atol=1e-4)
    assert sparse.layers[1].values.shape == (masked.layers[1].active_count,)
    assert type(to_masked(sparse).layers[1]).__name__ == "MaskedDense"


def test_what_looks_at_whole_kernels_says_what_to_give():
    _, model = twins()
    for look in (lambda: Hessian(model, data()), lambda: make_masks(model, 0.05)):
        with pytest.raises(
            ValueError, match=r"`model` must store whole kernels; received 'hidden.* Give what `to_masked"
        ):
            look()


def test_early_weights_return_in_the_shape_of_the_kernel():
    masked, sparse = twins()
    state = weights_of(sparse)
    assert all(np.array_equal(state[name], values) for name, values in weights_of(masked).items())
    sparse.fit(*data(), **FIT)
    rewind(sparse, state)
    assert all(np.array_equal(state[name], values) for name, values in weights_of(sparse).items())
