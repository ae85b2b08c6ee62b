"""Twins that store active weights alone: outputs, training, files, summaries, and what stays masked."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_sparseflow.layers import MaskedConv2D, MaskedDense, MaskedEinsumDense, SparseDense, SparseKernel
from keras_sparseflow.layers.mask.slots import slots_of
from keras_sparseflow.training import SparseModel
from keras_sparseflow.twins import (
    load_compressed,
    save_compressed,
    sparsify,
    sparsity_summary,
    strip_masks,
    to_masked,
    to_sparse,
)
from tests.twins.sparse import OwnOptimizer, OwnSchedule, OwnWithoutConfig, data, masked_model

pytestmark = [pytest.mark.slow, pytest.mark.tensorflow("sparse layers")]

FIT = {"batch_size": 16, "shuffle": False, "verbose": 0}
OPTIMIZERS = {
    "accumulated": lambda: keras.optimizers.Adam(0.02, gradient_accumulation_steps=2),
    "adagrad": lambda: keras.optimizers.Adagrad(0.02),
    "loss scale": lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.02, momentum=0.9)),
}


def kinds(model):
    return [type(layer).__name__ for layer in model.layers if layer.weights]


def outputs(model):
    return model.predict(data()[0], verbose=0)


@pytest.mark.parametrize(
    ("optimizer", "inplace", "model_class"),
    [
        ("accumulated", True, SparseModel),  # functions that were traced before must be traced anew
        pytest.param("accumulated", False, keras.Model, marks=pytest.mark.untraced),
        pytest.param("adagrad", True, keras.Model, marks=pytest.mark.untraced),
        pytest.param("adagrad", False, SparseModel, marks=pytest.mark.untraced),
        pytest.param("loss scale", True, keras.Model, marks=pytest.mark.untraced),
        pytest.param("loss scale", False, SparseModel, marks=pytest.mark.untraced),
    ],
)
def test_training_goes_on_where_it_was_there_and_back(optimizer, inplace, model_class):
    masked = masked_model(model_class, OPTIMIZERS[optimizer]())
    masked.fit(*data(48), **FIT)
    model = masked if not inplace else masked_model(model_class, OPTIMIZERS[optimizer]())
    if inplace:
        model.fit(*data(48), **FIT)
    for convert in (lambda m: to_sparse(m, min_entries=0, inplace=inplace), lambda m: to_masked(m, inplace=inplace)):
        before = outputs(model)
        model = convert(model)
        assert np.allclose(outputs(model), before, atol=1e-6)
        losses, expected = (each.fit(*data(48), epochs=2, **FIT).history["loss"] for each in (model, masked))
        assert np.allclose(losses, expected, rtol=1e-5)
    assert kinds(model) == kinds(masked) == ["MaskedDense", "MaskedDense", "Dense"]
    slots, expected = (slots_of(each.optimizer, each.layers[1].kernel) for each in (model, masked))
    assert slots and all(np.allclose(a, b, atol=1e-5) for a, b in zip(slots, expected, strict=True))


OWN = {
    "schedule": lambda: keras.optimizers.SGD(OwnSchedule(), momentum=0.9),
    "function": lambda: keras.optimizers.SGD(lambda: 0.02, momentum=0.9),
    "class": lambda: OwnOptimizer(OwnSchedule(), weight_decay=0.01),
    "class within": lambda: keras.optimizers.LossScaleOptimizer(OwnOptimizer(OwnSchedule())),
    "several": lambda: keras.optimizers.MultiOptimizer(
        keras.optimizers.OptimizerMap(OwnOptimizer(OwnSchedule()), {"hidden/.*": keras.optimizers.SGD(0.02)})
    ),
}


def own_loss(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True) ** 2


class OwnMean(keras.metrics.Mean):
    """A metric that is not registered, and whose config does not say how it is made."""

    def __init__(self):
        super().__init__("own_mean")

    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(y_pred)


def largest(y_true, y_pred):
    return keras.ops.max(y_pred, axis=-1)


@pytest.mark.untraced
@pytest.mark.parametrize("inplace", [True, False])
@pytest.mark.parametrize("optimizer", OWN)
def test_what_a_model_is_compiled_with_need_not_be_known_to_keras(optimizer, inplace):
    loss = {"schedule": own_loss, "function": lambda *pair: own_loss(*pair) / 2}.get(optimizer)
    masked, model = (
        masked_model(optimizer=OWN[optimizer](), loss=loss, metrics=[largest, OwnMean()]) for _ in range(2)
    )
    for each in (masked, model):
        each.fit(*data(48), **FIT)
    for convert in (lambda m: to_sparse(m, min_entries=0, inplace=inplace), lambda m: to_masked(m, inplace=inplace)):
        before = model.optimizer
        model = convert(model)
        assert model.optimizer is not before and type(model.optimizer) is type(before)
        assert model._compile_config.config["optimizer"] is model.optimizer, "what is saved"
        histories = [each.fit(*data(48), **FIT).history for each in (model, masked)]
        assert histories[0].keys() == {"loss", "largest", "own_mean"}
        assert all(np.allclose(histories[0][name], histories[1][name], rtol=1e-5) for name in histories[1])
    assert kinds(model) == kinds(masked)


def lost_schedule():
    class Plain(keras.optimizers.SGD):
        def get_config(self):
            return {**super().get_config(), "learning_rate": 0.1}

    return Plain(OwnSchedule())


@pytest.mark.untraced
@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (lambda: OwnWithoutConfig(0.1), "get_config.*received OwnWithoutConfig: .*unexpected keyword"),
        (lambda: keras.optimizers.LossScaleOptimizer(OwnWithoutConfig(0.1)), "received LossScaleOptimizer: "),
        (lost_schedule, "received Plain: it gives another learning rate"),
        (lambda: keras.optimizers.Muon(0.1), "must train a vector.*received Muon"),
        (lambda: keras.optimizers.Adafactor(0.1), "must train a vector.*received Adafactor"),
        (
            lambda: keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(keras.optimizers.Muon(0.1))),
            "must train a vector.*received Muon",
        ),
    ],
)
def test_optimizers_are_refused_before_anything_is_changed(optimizer, message):
    masked = masked_model(optimizer=optimizer())
    stock = strip_masks(masked)
    stock.compile(optimizer())
    for inplace in (True, False):
        with pytest.raises(ValueError, match=message) as refusal:
            to_sparse(masked, min_entries=0, inplace=inplace)
        assert "\n" not in str(refusal.value)
    with pytest.raises(ValueError, match=message):
        sparsify(stock, 0.1, execution="sparse", inplace=True)
    assert kinds(masked) == ["MaskedDense", "MaskedDense", "Dense"] and kinds(stock) == ["Dense"] * 3
    assert not sparsify(stock, 0.1, execution="sparse").compiled, "so that the optimizer does not matter"


@pytest.mark.untraced
def test_masking_a_trained_model_refuses_slots_whose_first_values_nobody_can_tell():
    model = strip_masks(masked_model())
    model.compile(OwnWithoutConfig(0.1), "mse")
    x = data()[0]
    model.fit(x, x[:, :3], **FIT)
    with pytest.raises(ValueError, match="`get_config`.*received OwnWithoutConfig"):
        sparsify(model, 0.1, inplace=True)
    assert kinds(model) == ["Dense"] * 3


def test_a_model_that_compiles_itself_becomes_sparse_itself_or_says_how_it_is_compiled():
    class Own(keras.Model):
        def compile(self, optimizer, loss, teacher=None):
            super().compile(optimizer, loss)
            self.teacher = teacher

    class Says(Own):
        def get_compile_config(self):
            return {"optimizer": "adam", "loss": "mse", "teacher": self.teacher}

        def compile_from_config(self, config):
            self.compile(**config)

    model = masked_model(Own, teacher="she")
    with pytest.raises(ValueError, match="`model` must be compiled as Keras compiles.*of Own.*inplace=True"):
        to_sparse(model, min_entries=0)
    assert to_sparse(model, min_entries=0, inplace=True).teacher == "she"
    assert to_sparse(masked_model(Says, teacher="she"), min_entries=0).teacher == "she"


def test_the_twin_shares_nothing_with_the_model_and_is_as_large_as_its_active_weights():
    model = masked_model()
    model.fit(*data(), **FIT)
    before = model.get_weights()
    twin = to_sparse(model, min_entries=0)
    twin.fit(*data(), **FIT)
    assert kinds(twin) == ["SparseDense", "SparseDense", "Dense"]
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    sizes = [np.prod(variable.shape) for variable in [*twin.variables, *twin.optimizer.variables]]
    assert max(sizes) == model.layers[1].active_count == 120
    assert [variable.path for variable in twin.trainable_variables] == [v.path for v in model.trainable_variables]


def test_files_follow_active_weights_and_load_in_order(tmp_path):
    model = to_sparse(masked_model(), min_entries=0)
    model.fit(*data(), epochs=2, **FIT)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert kinds(loaded) == kinds(model) and np.array_equal(outputs(loaded), outputs(model))
    for ours, theirs in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        assert np.array_equal(ours, theirs), ours.path
    save_compressed(model, tmp_path / "model.sparse")
    save_compressed(to_masked(model), tmp_path / "masked.sparse")
    small = load_compressed(tmp_path / "model.sparse")
    assert kinds(small) == kinds(model) and np.array_equal(outputs(small), outputs(model))
    sizes = [(tmp_path / f"{name}.sparse").stat().st_size for name in ("model", "masked")]
    assert abs(sizes[0] - sizes[1]) < 200, "the masked model's file holds the same"


def test_exported_models_serve_in_a_process_without_numba_and_this_package(tmp_path):
    model = to_sparse(masked_model(), min_entries=0)
    np.save(tmp_path / "x.npy", data()[0])
    model.export(tmp_path / "served", verbose=False)
    code = (
        "import sys, numpy, tensorflow as tf\n"
        f"served = tf.saved_model.load({str(tmp_path / 'served')!r})\n"
        f"y = served.serve(numpy.load({str(tmp_path / 'x.npy')!r}))\n"
        f"numpy.save({str(tmp_path / 'y.npy')!r}, y)\n"
        "assert not {'numba', 'keras_sparseflow'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert np.allclose(np.load(tmp_path / "y.npy"), outputs(model), atol=1e-5)


def stays(layer, shape, **arguments):
    """Returns why a layer with 2**14 entries or more stays masked."""
    model = keras.Sequential([keras.Input(shape), MaskedDense(400, density=0.05, mask_seed=0, name="wide"), layer])
    twin = to_sparse(model, **arguments)
    ((path, reason),) = sparsity_summary(twin).masked
    assert path == layer.name and not isinstance(twin.layers[1], SparseKernel)
    assert f"{path}, {reason}" in str(sparsity_summary(twin)).replace("\n", " ")
    return reason


@pytest.mark.parametrize(
    "layer, shape, reason",
    [
        (MaskedDense(100, density=0.3, name="last"), (100,), "density 0.3 is above 0.15"),
        (MaskedDense(10, density=0.05, name="last"), (100,), "less than 16,384 entries"),
        (
            MaskedDense(100, density=0.05, kernel_constraint="max_norm", name="last"),
            (100,),
            "MaxNorm looks at the whole kernel",
        ),
        (MaskedConv2D(100, 3, density=0.05), (5, 5, 100), "its kernel covers 3 x 3 positions, not 1 x 1"),
        (MaskedEinsumDense("ab,cb->ac", 100, density=0.05), (100,), "'ab,cb->ac' is no product with a matrix"),
    ],
)
def test_layers_that_would_be_slower_stay_masked_and_the_summary_says_why(layer, shape, reason):
    assert stays(layer, shape).startswith(reason)


def test_layers_whose_config_is_not_kept_stay_masked():
    inputs = keras.Input((6, 64))
    attention = keras.layers.MultiHeadAttention(4, 64, name="attention")
    model = keras.Model(inputs, keras.layers.Dense(512, name="wide")(attention(inputs, inputs)))
    twin = sparsify(model, 0.05, execution="sparse")
    assert type(twin.layers[-1]) is SparseDense
    reasons = dict(sparsity_summary(twin).masked)
    assert len(reasons) == 4 and all("makes or reads the layer itself" in reason for reason in reasons.values())
    assert np.array_equal(keras.models.clone_model(twin).layers[-1].mask, twin.layers[-1].mask)


def test_sparsify_makes_sparse_twins_and_strip_masks_stock_ones():
    stock = keras.Sequential([keras.Input((300,)), keras.layers.Dense(200), keras.layers.Dense(10, name="head")])
    twin = sparsify(stock, 0.1, score="magnitude", execution="sparse")
    expected = sparsify(stock, 0.1, score="magnitude")
    x = np.random.default_rng(0).normal(size=(5, 300)).astype("float32")
    assert kinds(twin) == ["SparseDense", "MaskedDense"]
    assert np.allclose(twin(x), expected(x), atol=1e-5)
    stripped = strip_masks(twin)
    assert kinds(stripped) == ["Dense", "Dense"] and np.allclose(stripped(x), twin(x), atol=1e-5)
    again = sparsify(twin, 0.05, score="magnitude")
    assert kinds(again) == ["MaskedDense", "MaskedDense"] and again.layers[0].active_count == 3000
    with pytest.raises(ValueError, match="`execution` must be 'masked' or 'sparse'; received 'dense'"):
        sparsify(stock, 0.1, execution="dense")


def test_an_unbuilt_model_is_refused():
    with pytest.raises(ValueError, match="`model` must be built"):
        to_sparse(keras.Sequential([keras.layers.Dense(3)]))


@pytest.mark.parametrize("kind", [MaskedDense, keras.layers.Dense])
def test_a_model_that_makes_its_layers_itself_is_refused_and_left_as_it_is(kind):
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.wide = kind(600)

        def call(self, x):
            return self.wide(x)

    model = Own()
    model(np.ones((1, 30)))
    message = "`model` must be functional or sequential.*of Own, which makes its layers itself"
    for inplace in (True, False):
        with pytest.raises(ValueError, match=message):
            to_sparse(model, inplace=inplace)
        with pytest.raises(ValueError, match=message):
            sparsify(model, 0.05, execution="sparse", inplace=inplace)
    assert type(model) is Own and type(model.wide) is kind
