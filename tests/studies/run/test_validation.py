"""Images held out in runs: what is recorded of them, and by which epoch a test accuracy is chosen."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.records import RunFolder, read_results, read_validation
from keras_sparseflow.records.integrity import without_digests
from keras_sparseflow.studies.run.log import RunLog
from keras_sparseflow.studies.run.network import build_network, size_of
from keras_sparseflow.studies.run_study import run_study
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.state import network_state, restore_state
from tests.backend import untraced
from tests.studies.executing import assert_same_files, interrupted_after, scalars, train

pytestmark = pytest.mark.slow

HELD = {"epochs": 4, "flow_epochs": 0, "batch_size": 16, "variant": "BN", "validation_size": 9, "learning_rate": 0.05}
ADDED = [
    "validation_accuracy", "validation_loss", "best_validation_accuracy", "best_validation_epoch",
    "selected_test_accuracy", "selected_test_loss",
]  # fmt: skip


@pytest.fixture(scope="module")
def held(data):
    """The images, of which nine are held out, noisier than the others."""
    rng = np.random.default_rng(1)
    images = data.train_images[:9] + rng.normal(size=(9, 4, 4, 1)).astype("float32")
    return dataclasses.replace(
        data,
        train_images=data.train_images[9:].copy(),
        train_labels=data.train_labels[9:].copy(),
        validation_images=images,
        validation_labels=data.train_labels[:9].copy(),
    )


def result_of(folder):
    return without_digests(json.loads((folder.path / "result.json").read_text()))


def test_the_validation_of_an_epoch_is_that_of_the_network_after_it(spec, held, tmp_path):
    chosen = spec(**HELD)
    folder = RunFolder(tmp_path, chosen.run_id)
    with untraced(), interrupted_after(1, 1):
        train("serial", [chosen], tmp_path, held, checkpoint_seconds=0)
    arrays, progress = folder.load_checkpoint()
    with untraced():
        model = build_network(chosen, held, initialise=False)
        restore_state(network_state(model), arrays, folder.path)
        expected = model.evaluate(held.validation_images, held.validation_labels, verbose=0, return_dict=True)
        tested = model.evaluate(held.test_images, held.test_labels, verbose=0, return_dict=True)
    assert [row["epoch"] for row in progress["validation"]] == [0, 1]
    last = progress["validation"][-1]
    assert (last["loss"], last["accuracy"]) == pytest.approx((expected["loss"], expected["accuracy"]), rel=1e-5)
    assert (
        progress["history"][-1]["test_loss"] == pytest.approx(tested["loss"], rel=1e-5) != pytest.approx(last["loss"])
    )


def test_single_networks_and_populations_record_the_same_and_go_on_after_an_interruption(spec, held, tmp_path):
    specs = [spec(**HELD), spec(**HELD, seed=1)]
    with untraced():
        train("serial", specs, tmp_path / "serial", held)
        with interrupted_after(1, 2):
            train("population", specs, tmp_path / "population", held, checkpoint_seconds=0)
        train("population", specs, tmp_path / "population", held)
    for one in specs:
        assert_same_files(one, tmp_path / "serial", tmp_path / "population", rtol=1e-3)
        folders = [RunFolder(tmp_path / name, one.run_id) for name in ("serial", "population")]
        tables = [pd.read_csv(folder.path / "validation.csv") for folder in folders]
        assert list(tables[0]) == ["epoch", "loss", "accuracy"] and tables[0]["epoch"].tolist() == [0, 1, 2, 3]
        np.testing.assert_allclose(tables[0], tables[1], rtol=1e-3)
        results = [result_of(folder) for folder in folders]
        assert set(ADDED) <= results[0].keys() and list(results[0]) == list(results[1])
        history, best = pd.read_csv(folders[0].path / "history.csv"), tables[0]["accuracy"].idxmax()
        assert list(history) == ["epoch", "loss", "accuracy", "test_loss", "test_accuracy"]
        assert results[0]["best_validation_epoch"] == best
        assert results[0]["selected_test_accuracy"] == history["test_accuracy"][best]
        steps, losses = zip(*scalars(folders[0])["metrics/validation_loss"], strict=True)
        assert steps == (0, 1, 2, 3) and losses == pytest.approx(tuple(tables[0]["loss"]))


def test_without_images_held_out_nothing_is_recorded(spec, data, tmp_path):
    chosen = spec(epochs=1, flow_epochs=0)
    with untraced():
        train("serial", [chosen], tmp_path, data)
    folder = RunFolder(tmp_path, chosen.run_id)
    assert not (folder.path / "validation.csv").exists() and not set(ADDED) & result_of(folder).keys()
    assert "metrics/validation_loss" not in scalars(folder)


def _log(spec, tmp_path, validation, tested):
    log = RunLog(spec, RunFolder(tmp_path, spec.run_id), tensorboard=False)
    log.start([])
    for accuracy, test in zip(validation, tested, strict=True):
        log.add(
            {"loss": 1.0, "accuracy": 0.5, "test_loss": 1 - test, "test_accuracy": test,
             "validation_loss": 2 - accuracy, "validation_accuracy": accuracy}, [], 1.0,
        )  # fmt: skip
    return log.finish([1])


def test_the_first_of_the_best_epochs_is_chosen_and_not_the_best_on_test_images(spec, tmp_path):
    result = _log(spec(epochs=4), tmp_path, (0.5, 0.75, 0.75, 0.25), (0.1, 0.2, 0.3, 0.9))
    assert [result[name] for name in ADDED] == [0.25, 1.75, 0.75, 1, 0.2, 0.8]
    assert result["best_test_accuracy"] == 0.9 and list(result)[7:13] == ADDED


def test_epochs_before_a_network_is_pruned_are_not_chosen(tmp_path):
    pruned = RunSpec.of(width=20, density=0.5, method="magnitude", epochs=4)
    assert pruned.sparse_from == 2
    result = _log(pruned, tmp_path, (0.9, 0.8, 0.5, 0.6), (0.1, 0.2, 0.3, 0.4))
    assert (result["best_validation_epoch"], result["selected_test_accuracy"]) == (3, 0.4)


def test_a_study_reads_what_its_runs_recorded(tmp_path):
    base = {"epochs": 2, "flow_epochs": 0, "train_size": 60, "validation_size": 30, "batch_size": 20, "image_size": 4}
    study = Study(name="s", title="", seeds=(0,), width_fractions=(0.5,), base=base, grids=[{"hidden_layers": (1,)}])
    folder = run_study(study, runs_dir=tmp_path)
    results, validation = read_results(folder), read_validation(folder)
    assert set(validation["run_id"]) == set(results["run_id"]) and len(validation) == 4
    last = validation[validation["epoch"] == 1].set_index("run_id")["accuracy"]
    assert results["validation_accuracy"].tolist() == last[results["run_id"]].tolist()
    assert set(ADDED).isdisjoint(results.attrs["spec_columns"]) and (results["validation_size"] == 30).all()


def test_evaluations_on_them_are_counted(spec, held, data):
    chosen = spec(**HELD)
    size = size_of(held)
    assert size.validation_images == 9 and size_of(data).validation_images == 0
    without = dataclasses.replace(size, validation_images=0)
    more = cost([chosen], size).flops - cost([chosen], without).flops
    fewer = cost([chosen], without).flops - cost([chosen], dataclasses.replace(without, test_images=3)).flops
    assert more == fewer > 0, "as many as nine test images"
