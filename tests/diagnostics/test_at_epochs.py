"""Diagnostics at epochs of `fit`: rows, logs and TensorBoard scalars; a training that does not notice."""

import keras
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from keras_sparseflow.diagnostics import ActivationSparsity, Hessian, TopEigenvalue, activation_sparsity
from keras_sparseflow.layers import MaskedDense
from keras_sparseflow.training import SparseModel
from tests.diagnostics.networks import state

RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.normal(size=(24, 6)).astype("float32"), np.arange(24) % 3
PROBE = (IMAGES[:10], LABELS[:10])


def fit(*callbacks, epochs=3):
    initializer = keras.initializers.HeNormal(0)
    inputs = keras.Input((6,))
    x = MaskedDense(8, "relu", density=0.5, mask_seed=0, name="hidden", kernel_initializer=initializer)(inputs)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = SparseModel(inputs, keras.layers.Dense(3, name="last", kernel_initializer=initializer)(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    history = model.fit(
        IMAGES, LABELS, batch_size=8, epochs=epochs, shuffle=False, verbose=0, callbacks=list(callbacks)
    )
    return model, history.history


def scalars(folder):
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return {
        tag: {event.step: float(tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)}
        for tag in events.Tags()["tensors"]
    }


@pytest.fixture(scope="module", name="trained")
def fixture_trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("events")
    top = TopEigenvalue(PROBE, epochs=[0, 2], log_dir=str(folder / "top"))
    sparsity = ActivationSparsity(PROBE, epochs=[2], log_dir=str(folder / "sparsity"))
    model, logs = fit(top, sparsity)
    return model, logs, top, sparsity, folder


def test_rows_of_the_last_epoch_are_those_of_the_trained_model(trained):
    model, _, top, sparsity, _ = trained
    pair = Hessian(model, PROBE).top_eigenpair()
    assert list(top.to_frame().columns) == ["epoch", "eigenvalue", "residual", "iterations", "converged"]
    assert [row["epoch"] for row in top.rows] == [0, 2]
    last = top.rows[-1]
    assert last["eigenvalue"] == pytest.approx(pair.value, rel=1e-4) and last["eigenvalue"] > 0
    assert (last["iterations"], last["converged"]) == (pair.iterations, True)
    assert sparsity.rows == activation_sparsity(model, PROBE, epoch=2)
    assert list(sparsity.to_frame()["layer"]) == ["hidden", "total"]


def test_logs_hold_them_and_nan_in_other_epochs(trained):
    _, logs, top, sparsity, _ = trained
    first, middle, last = logs["top_eigenvalue/total"]
    assert np.isnan(middle) and [first, last] == [row["eigenvalue"] for row in top.rows]
    assert np.isnan(logs["activation_sparsity/total"][:2]).all()
    assert logs["activation_sparsity/total"][2] == sparsity.rows[-1]["sparsity"]


def test_tensorboard_has_them(trained):
    _, _, top, sparsity, folder = trained
    values = {"top_eigenvalue/total": "eigenvalue", "top_eigenvalue_residual/total": "residual"}
    assert scalars(folder / "top") == {
        tag: {row["epoch"]: pytest.approx(row[column]) for row in top.rows} for tag, column in values.items()
    }
    assert scalars(folder / "sparsity") == {
        f"activation_sparsity/{row['layer']}": {2: pytest.approx(row["sparsity"])} for row in sparsity.rows
    }


def test_a_training_with_them_is_the_training_without(trained):
    plain, logs = fit()
    for one, other in zip(state(plain), state(trained[0]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)
    assert logs["loss"] == pytest.approx(trained[1]["loss"], rel=1e-5)


def test_bad_data_are_refused_before_training():
    for callback in (TopEigenvalue, ActivationSparsity):
        with pytest.raises(ValueError, match="received ndarray"):
            callback(IMAGES)
