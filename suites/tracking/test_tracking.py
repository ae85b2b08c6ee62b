"""The recipes of docs/tracking.md: networks that report to Weights & Biases and to MLflow, without a network."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_sparseflow.records import read_history, read_results

pytest.importorskip("wandb", reason="Weights & Biases is of the extra `tracking`.")
pytest.importorskip("mlflow", reason="MLflow is of the extra `tracking`.")

ROOT = Path(__file__).parents[2]
STUDY = ["--study=small", "--seeds=0", "--width_fractions=0.5", "--epochs=2", "--optimizer=sgd", "--variant=NR"]


def recipe(name):
    """The program of the page that defines a function of this name."""
    blocks = re.findall(
        r"^    # my_tracking.py\n((?:    .*\n|\n)+)", (ROOT / "docs" / "tracking.md").read_text(), re.MULTILINE
    )
    (block,) = [block for block in blocks if f"def {name}" in block]
    return re.sub(r"^    ", "", block, flags=re.MULTILINE)


def trained(program, function, folder):
    """Trains a pair of networks with a recipe's callback; returns the folder of the study."""
    (folder / "my_tracking.py").write_text(program)
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", str(ROOT))])
    environment = {**os.environ, "PYTHONPATH": paths, "MLFLOW_ALLOW_FILE_STORE": "true"}
    command = [sys.executable, ROOT / "launchers" / "scsdc.py", "demo", *STUDY, f"--callbacks=my_tracking:{function}"]
    done = subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "runs" / "small"


def test_weights_and_biases_keeps_a_run_for_each_network(tmp_path):
    study = trained(recipe("wandb_run"), "wandb_run", tmp_path)
    runs = read_results(study)["run_id"]
    assert len(runs) == 2
    for run in runs:
        (kept,) = (study / run / "wandb").glob("offline-run-*/*.wandb")
        content = kept.read_bytes()
        assert run.encode() in content and b"val_accuracy" in content


def test_mlflow_has_a_run_for_each_network_with_its_accuracies(tmp_path):
    import mlflow

    program = recipe("mlflow_run").replace("http://localhost:5000", f"file:{tmp_path}/mlruns")
    study = trained(program, "mlflow_run", tmp_path)
    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    client = mlflow.MlflowClient(f"file:{tmp_path}/mlruns")
    experiment = client.get_experiment_by_name("sparse")
    found = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    history = read_history(study)
    assert set(found) == set(history["run_id"])
    for name, rows in history.groupby("run_id"):
        logged = client.get_metric_history(found[name].info.run_id, "val_accuracy")
        assert [metric.value for metric in logged] == pytest.approx(rows["test_accuracy"].tolist())
        assert found[name].data.params["optimizer"] == "sgd"
