"""Diagnostics of runs: what they say is true of the trained network, and the training does not notice them."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_sparseflow.data.subsets import balanced_subset
from keras_sparseflow.diagnostics import Hessian, activation_sparsity, loss_along, loss_surface
from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.studies.run import diagnosing
from keras_sparseflow.studies.run.network import build_network
from keras_sparseflow.studies.run.recipe import plain_loss
from keras_sparseflow.studies.run.run import run
from keras_sparseflow.studies.spec.measurement_spec import DIAGNOSTICS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import rewind
from tests.backend import untraced
from tests.studies.executing import InterruptionError, assert_same_files, interrupted_after, scalars, train

pytestmark = pytest.mark.slow

ALL = {
    "diagnostics": DIAGNOSTICS, "diagnostic_epochs": 2, "diagnostic_samples": 9, "eigenvalue_iterations": 5,
    "landscape_steps": 3, "near_zero": 0.3,
}  # fmt: skip


def network(**values):
    """A dense round of a lottery ticket, which keeps the weights that it came to."""
    small = {"hidden_layers": 2, "width": 8, "variant": "BN", "method": "lottery"}
    training = {"batch_size": 24, "epochs": 2, "learning_rate": 0.05, "optimizer": "momentum"}
    return RunSpec.of(**{**small, **training, "flow_epochs": 1, "flow_readings": ("end",), **values})


def table(folder, name):
    return pd.read_csv(folder.path / f"{name}.csv")


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The spec and the folder of a run with every diagnostic, tweaked so that its loss is not the plain one."""
    spec, folder = network(**ALL, tweaks="LS"), tmp_path_factory.mktemp("trained")
    with untraced():
        train("serial", [spec], folder, data)
    return spec, folder


def test_the_last_rows_are_those_of_the_trained_network(trained, data):
    spec, study_dir = trained
    folder = RunFolder(study_dir, spec.run_id)
    model = build_network(spec, data, study_dir=study_dir)
    rewind(model, folder.load_arrays("weights.npz"))
    loss = plain_loss(spec)
    images = tuple(a[balanced_subset(data.train_labels, 9, 0)] for a in (data.train_images, data.train_labels))
    assert np.bincount(images[1]).tolist() == [3, 3, 3]
    pair = Hessian(model, images, loss).top_eigenpair(iterations=5, seed=spec.seed)
    rows = table(folder, "diagnostics")
    assert list(rows["epoch"].unique()) == [0, 1]
    last = rows[rows["epoch"] == 1]
    eigen = last[last["layer"] == "total"].set_index("measure")["value"]
    assert eigen["top_eigenvalue"] == pytest.approx(pair.value, rel=1e-3) and eigen["top_eigenvalue"] > 0
    assert eigen["top_eigenvalue_residual"] == pytest.approx(pair.residual, rel=0.05)
    shares = last[last["measure"] == "activation_sparsity"].set_index("layer")["value"].to_dict()
    assert shares == pytest.approx({row["layer"]: row["sparsity"] for row in activation_sparsity(model, images)})

    tested = tuple(a[balanced_subset(data.test_labels, 9, 0)] for a in (data.test_images, data.test_labels))
    near = last[last["measure"] == "near_zero_activations"].set_index("layer")["value"].to_dict()
    assert near == pytest.approx({r["layer"]: r["sparsity"] for r in activation_sparsity(model, tested, near_zero=0.3)})
    assert near != pytest.approx({r["layer"]: r["sparsity"] for r in activation_sparsity(model, tested)})
    landscape = table(folder, "landscape")
    line, surface = (landscape[landscape["diagnostic"] == name] for name in ("loss_along", "loss_surface"))
    expected = loss_along(model, tested, pair.vector, steps=3, loss=loss)
    assert line["x"].tolist() == expected["distance"].tolist() == [-0.5, 0, 0.5] and (line["y"] == 0).all()
    np.testing.assert_allclose(line["loss"], expected["loss"], rtol=1e-3)
    expected = loss_surface(model, tested, steps=3, seed=spec.seed, loss=loss)
    np.testing.assert_allclose(surface[["x", "y", "loss"]], expected, rtol=1e-4)
    assert len(surface) == 9 and line["loss"].iloc[1] == pytest.approx(surface["loss"].iloc[4], rel=1e-5)


def test_tensorboard_has_what_was_measured_along_the_training(trained):
    spec, study_dir = trained
    folder = RunFolder(study_dir, spec.run_id)
    shown = scalars(folder)
    for (measure, layer), rows in table(folder, "diagnostics").groupby(["measure", "layer"]):
        np.testing.assert_allclose(shown[f"{measure}/{layer}"], rows[["epoch", "value"]], rtol=1e-6)
    landscape = table(folder, "landscape")
    line = landscape.loc[landscape["diagnostic"] == "loss_along", "loss"]
    np.testing.assert_allclose(shown["loss_along/top_eigenvector"], list(enumerate(line)), rtol=1e-6)
    (event,) = EventAccumulator(str(folder.events)).Reload().Tensors("loss_surface")
    width, height, encoded = event.tensor_proto.string_val
    pixels = tf.io.decode_png(encoded).numpy()[..., 0]
    assert (int(width), int(height)) == pixels.shape[::-1] == (318, 318)
    losses = landscape.loc[landscape["diagnostic"] == "loss_surface", "loss"].to_numpy().reshape(3, 3)
    shades = pixels[53::106, 53::106][::-1]
    assert np.array_equal(np.argsort(shades, axis=None), np.argsort(losses, axis=None)) and np.ptp(shades) == 255


def test_a_training_with_them_is_the_training_without(trained, data, tmp_path):
    spec, study_dir = trained
    plain = network(tweaks="LS")
    with untraced():
        train("serial", [plain], tmp_path, data)
    for name in ("history", "flow"):
        found, expected = (table(RunFolder(*of), name) for of in ((study_dir, spec.run_id), (tmp_path, plain.run_id)))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5)
    names = {path.name for path in (tmp_path / plain.run_id).iterdir()}
    assert not names & {"diagnostics.csv", "landscape.csv"} and spec.run_id != plain.run_id


def test_an_interrupted_run_keeps_what_it_had_measured_and_what_the_landscape_is_taken_of(
    trained, data, tmp_path, monkeypatch
):
    spec, study_dir = trained

    def interrupted(*arguments, **options):
        raise InterruptionError

    with untraced():
        with interrupted_after(0, 1):
            train("serial", [spec], tmp_path, data, checkpoint_seconds=0)
        with monkeypatch.context() as patch, pytest.raises(InterruptionError):
            patch.setattr(diagnosing, "loss_surface", interrupted)
            train("serial", [spec], tmp_path, data)
        assert len(RunFolder(tmp_path, spec.run_id).checkpoint_rows()) == spec.training.epochs
        train("serial", [spec], tmp_path, data)
    assert_same_files(spec, study_dir, tmp_path, rtol=1e-3)


def test_what_diverged_has_no_landscape_and_its_numbers_are_missing(data, tmp_path):
    spec = network(**ALL, learning_rate=1e30, variant="NR", loss="squared_error")
    with untraced():
        train("serial", [spec], tmp_path, data, tensorboard=False)
    folder = RunFolder(tmp_path, spec.run_id)
    assert read_json(folder.path / "result.json")["diverged"] and not (folder.path / "landscape.csv").exists()
    rows = table(folder, "diagnostics")
    assert rows.loc[rows["measure"] == "top_eigenvalue", "value"].isna().all()


def test_a_transformer_has_every_diagnostic_and_the_flow_of_each_kernel(data, tmp_path):
    vit = {"model": "vit", "depth": 1, "width": 1, "patch_size": 2, "variant": "SC", "method": "rigl", "density": 0.5}
    spec = network(**{**ALL, "eigenvalue_iterations": 2}, **vit, move_frequency=1, epochs=1)
    folder = RunFolder(tmp_path, spec.run_id)
    with untraced():
        run(spec, folder, data, tensorboard=False)
    rows, flow = table(folder, "diagnostics"), table(folder, "flow")
    assert "block1_activation" in set(rows["layer"]) and np.isfinite(table(folder, "landscape")["loss"]).all()
    assert rows.loc[rows["measure"] == "top_eigenvalue", "value"].item() > 0
    inner = [f"block1_{part}" for part in ("query", "key", "value", "output", "mlp1", "mlp2")]
    assert set(flow["layer"]) == {"patches", *inner, "output", "total"} and (flow["value"] > 0).all()


def test_masked_weights_and_bfloat16_have_them_too(data, tmp_path):
    spec = network(
        **{**ALL, "diagnostics": ("loss_along", "top_eigenvalue"), "eigenvalue_iterations": 2},
        method="rigl", move_frequency=1, density=0.5, precision="mixed_bfloat16", epochs=1,
    )  # fmt: skip
    assert spec.measurement.diagnostics == ("top_eigenvalue", "loss_along"), "in one order"
    folder, words = RunFolder(tmp_path, spec.run_id), []
    with untraced():
        run(spec, folder, data, tensorboard=False, say=words.append)
    rows = table(folder, "diagnostics")
    assert set(rows["measure"]) == {"top_eigenvalue", "top_eigenvalue_residual"} and np.isfinite(rows["value"]).all()
    assert {"top eigenvalue, 2/2", "top eigenvector, 2/2", "loss along it, 3/3"} <= set(words)
