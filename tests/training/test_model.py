"""`SparseModel` and `GradientFlow` as parts of Keras: subclassing, late building, several recorders, replicas."""

import copy
import json
import pickle

import keras
import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.layers import MaskedDense, kernels_of
from keras_sparseflow.training import GradientFlow, SparseModel, measure_flow
from tests import processes

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(24, 5)).astype("float32"), RNG.integers(0, 3, 24)
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def functional(optimizer="sgd", **dense):
    inputs = keras.Input((5,))
    hidden = MaskedDense(8, density=0.5, mask_seed=0, activation="relu", name="hidden", **dense)(inputs)
    model = SparseModel(inputs, MaskedDense(3, density=0.5, mask_seed=1, name="output")(hidden))
    model.compile(optimizer, LOSS)
    return model


@keras.saving.register_keras_serializable("test")
class Subclassed(SparseModel):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.flow = MaskedDense(8, density=0.5, mask_seed=0, activation="relu")  # a name of its own
        self.head = MaskedDense(3, density=0.5, mask_seed=1)

    def call(self, inputs, training=None):
        return self.head(self.flow(inputs))


@pytest.mark.untraced
def test_functional_and_subclassed_models_live_side_by_side():
    functional()
    model = Subclassed()
    assert isinstance(functional(), SparseModel) and not isinstance(model, type(functional()))
    model.compile("adam", LOSS)
    model.fit(X, Y, verbose=0)
    for layer in (model.flow, model.head):
        assert not keras.ops.convert_to_numpy(layer.kernel)[~keras.ops.convert_to_numpy(layer.mask)].any()


@keras.saving.register_keras_serializable("test")
class UsedFunctionally(SparseModel):
    def answer(self):
        return 42


def test_a_subclass_that_is_used_functionally_is_saved_under_its_own_name_and_stays_subclassable(tmp_path):
    inputs = keras.Input((5,))
    model = UsedFunctionally(inputs, MaskedDense(3, density=0.5)(inputs))
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert (
        isinstance(loaded, UsedFunctionally) and loaded.answer() == 42 and type(loaded).__name__ == "UsedFunctionally"
    )
    np.testing.assert_array_equal(loaded(X), model(X))
    assert isinstance(keras.models.clone_model(model), SparseModel)
    Subclassed()(X)
    assert SparseModel.__bases__ == (keras.Model,)


def test_a_model_that_is_built_in_its_first_fit_is_measured_from_the_first_step():
    flow = GradientFlow()
    model = Subclassed()
    model.compile("sgd", LOSS)
    model.fit(X, Y, epochs=2, verbose=0, callbacks=[flow])
    frame = flow.to_frame()
    assert sorted(set(frame["epoch"])) == [0, 1] and (frame["value"] > 0).all() and len(frame) == 2 * 4 * 3


@pytest.mark.parametrize("make", [functional, Subclassed], ids=["functional", "subclassed"])
def test_a_saved_model_is_a_sparse_model_again(make, tmp_path):
    model = make()
    model(X)
    model.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    assert isinstance(loaded, SparseModel)
    np.testing.assert_array_equal(loaded(X), model(X))


def used_functionally():
    inputs = keras.Input((5,))
    model = UsedFunctionally(inputs, MaskedDense(3, density=0.5, mask_seed=0)(inputs))
    model.compile("adam", LOSS)
    return model


def subclassed():
    model = Subclassed()
    model.compile("adam", LOSS)
    return model


@pytest.mark.parametrize(
    "make",
    [
        functional,
        pytest.param(subclassed, marks=pytest.mark.untraced),
        pytest.param(used_functionally, marks=pytest.mark.untraced),
    ],
)
def test_a_model_can_be_pickled_and_copied(make):
    model = make()
    model.fit(X, Y, verbose=0)
    layer = model.layers[-1]
    layer.set_mask(np.eye(*layer.mask.shape), model.optimizer)
    assert pickle.loads(pickle.dumps(type(model))) is type(model)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert type(other) is type(model)
        np.testing.assert_array_equal(other(X), model(X))
        flow = GradientFlow()
        other.fit(X, Y, verbose=0, callbacks=[flow])
        assert {row["layer"] for row in flow.rows} == {*(kernel.path for kernel in kernels_of(model)), "total"}
        kernel = keras.ops.convert_to_numpy(other.layers[-1].stored_kernel)
        assert np.array_equal(kernel != 0, np.eye(*kernel.shape, dtype=bool)), "trained, within the mask"
        assert not np.array_equal(other(X), model(X))


@pytest.mark.untraced
def test_the_reported_loss_is_the_mean_over_examples():
    model = functional(keras.optimizers.SGD(1e-30))
    history = model.fit(X[:20], Y[:20], batch_size=16, shuffle=False, verbose=0)  # 16 and 4
    np.testing.assert_allclose(history.history["loss"][0], LOSS(Y[:20], model(X[:20])), rtol=1e-5)


@pytest.mark.untraced
def test_recorders_do_not_disturb_each_other():
    first = GradientFlow(epochs=[0], cost="total")
    second = GradientFlow(epochs=[1], cost="data", measures=["egf_2"])
    functional(kernel_regularizer=keras.regularizers.L2(1.0)).fit(X, Y, epochs=2, verbose=0, callbacks=[first, second])
    assert set(first.to_frame()["epoch"]) == {0} and set(second.to_frame()["epoch"]) == {1}
    assert set(second.to_frame()["measure"]) == {"egf_2"}


@pytest.mark.untraced
def test_the_cost_without_regularizers_is_exact_for_any_regularizer():
    """An orthogonal regulariser has a gradient at inactive entries too; the raw norm must lose all of it."""
    flows = []
    for regularizer in (keras.regularizers.OrthogonalRegularizer(0.5), None):
        keras.utils.set_random_seed(0)
        flow = GradientFlow(cost="data")
        functional(kernel_regularizer=regularizer).fit(X, Y, batch_size=24, verbose=0, callbacks=[flow])
        flows.append(flow.to_frame().query("layer == 'hidden'")["value"])
    np.testing.assert_allclose(*flows, rtol=1e-4)


@pytest.mark.untraced
def test_logs_have_a_value_in_every_epoch_so_that_a_history_is_a_table():
    history = functional().fit(X, Y, epochs=3, verbose=0, callbacks=[GradientFlow(epochs=[1])])
    frame = pd.DataFrame(history.history)
    assert list(frame["flow/steps/egf_2"].notna()) == [False, True, False]


@pytest.mark.untraced
def test_a_callback_ended_by_an_exception_leaves_nothing_behind():
    class StopError(Exception):
        pass

    def stop(epoch, logs):
        raise StopError

    model, flow = functional(), GradientFlow()
    with pytest.raises(StopError):
        model.fit(X, Y, verbose=0, callbacks=[flow, keras.callbacks.LambdaCallback(on_epoch_end=stop)])
    model.fit(X, Y, verbose=0, callbacks=[flow])
    assert not model._flow_recorders


def test_steps_that_overflow_under_a_loss_scale_do_not_count():
    model = functional(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**126))
    flow = GradientFlow(epochs=[0, 9])
    model.fit(X * 1e3, Y, batch_size=2, epochs=10, verbose=0, callbacks=[flow])
    last = flow.to_frame().query("epoch == 9")["value"]
    assert len(last) == 12 and np.isfinite(last).all()


@pytest.mark.untraced
def test_a_kernel_that_the_loss_does_not_use_has_no_flow():
    inputs = keras.Input((5,))
    unused = MaskedDense(4, density=0.5, name="unused")(inputs)
    model = SparseModel(inputs, [MaskedDense(3, density=0.5, name="used")(inputs), unused])
    model.compile("sgd", [LOSS, None])
    flow = GradientFlow()
    with pytest.warns(UserWarning, match="Gradients do not exist"):
        model.fit(X, [Y, np.zeros((24, 4))], verbose=0, callbacks=[flow])
    values = flow.to_frame().query("measure == 'egf_2'").set_index("layer")["value"]
    assert values["unused"] == 0 and values["used"] > 0


def test_an_embedding_can_be_measured():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Embedding(7, 4), keras.layers.Flatten(), MaskedDense(3)])
    model.compile("sgd", LOSS)
    rows = measure_flow(model, (RNG.integers(0, 7, (24, 5)), Y), tensors="all")
    assert all(row["value"] > 0 for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"measures": ["egf_3"]}, "Unknown flow measure 'egf_3'"),
        ({"measures": []}, "at least one name of grad_norm_1.*received \\[\\]"),
        ({"measures": "egf_2"}, "at least one name of .*received 'egf_2'"),
        ({"cost": "loss"}, "`cost` must be one of total, data; received 'loss'"),
        ({"tensors": "biases"}, "`tensors` must be 'kernels' or 'all'; received 'biases'"),
        ({"training": False}, "`training` must be True unless `data` is measured; received False and data=None"),
        ({"readings": ["end"]}, "`data` must be given if `readings` has 'end'.*data=None and readings=\\('end',\\)"),
        ({"readings": ["steps"], "data": (X, Y)}, "and only then; received data=tuple and readings=\\('steps',\\)"),
        ({"readings": ["start"]}, "`readings` must list at least one of steps, end; received \\['start'\\]"),
        ({"readings": []}, "`readings` must list at least one name of steps, end; received \\[\\]"),
        ({"readings": "end", "data": (X, Y)}, "`readings` must list at least one name of steps, end; received 'end'"),
    ],
    ids=str,
)
def test_bad_options_are_refused_before_any_training(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradientFlow(**arguments)


def test_a_plain_model_without_data_is_told_what_to_do():
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile("sgd", LOSS)
    with pytest.raises(ValueError, match="SparseModel; received a Sequential.*pass `data`"):
        model.fit(X, Y, verbose=0, callbacks=[GradientFlow()])


REPLICAS = """
import contextlib, itertools, json
import tensorflow as tf
tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0],
                                           [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
from keras_sparseflow import GradientFlow, SparseModel, mlp
rng = np.random.default_rng(0)
x, y = rng.normal(size=(32, 3, 3, 1)).astype("float32"), rng.integers(0, 4, 32)
strategies = [tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)]) if replicas else None
              for replicas in (0, 1, 2)]
found = {"total": [], "data": []}
for cost, strategy in itertools.product(found, strategies):
    with strategy.scope() if strategy else contextlib.nullcontext():
        model = mlp((3, 3, 1), 4, [8, 8], active=[30, 20, 15], l2=0.1, seed=3, model_class=SparseModel)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9),
                      keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False)
    flow = GradientFlow(cost=cost)
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)
    history = model.fit(data, epochs=2, verbose=0, callbacks=[flow], shuffle=False)
    kernels = [keras.ops.convert_to_numpy(v).tolist() for v in model.trainable_variables]
    found[cost].append([history.history["loss"], [row["value"] for row in flow.rows], kernels])
print(json.dumps(found))
"""


@pytest.mark.slow
def test_replicas_agree_with_one_device_in_the_flow_of_either_cost():
    """The same global batches on no strategy, one replica and two: losses, kernels and all flow measures."""
    done = processes.run(REPLICAS)
    assert done.returncode == 0, done.stderr[-3000:]
    for cost, (alone, *replicas) in json.loads(done.stdout.splitlines()[-1]).items():
        for count, found in enumerate(replicas, 1):
            for ours, expected in zip(found, alone, strict=True):
                flat = [np.concatenate([np.ravel(part) for part in values]) for values in (ours, expected)]
                np.testing.assert_allclose(*flat, rtol=1e-5, atol=1e-7, err_msg=f"{cost} on {count}")
