"""The example of a plugin: built, installed where nothing else of ours was changed, and used by a launcher."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_sparseflow import records
from tests import processes
from tests.test_wheel import install, run

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin"
LAUNCHER = ROOT / "launchers" / "wide_resnet.py"
NAMES = ["--score=lamp", "--variant=ORTH", "--flow_measures=egf_2,dead_gradients"]
TINY = [
    "--dataset=digits", "--image_size=4", "--train_size=160", "--batch_size=32", "--model=mlp", "--depth=2",
    "--width=8", "--density=0.2", "--distribution=global", "--seeds=0", "--epochs=2", "--learning_rate=0.1",
    "--flow_epochs=1", "--study=mine",
]  # fmt: skip


def build(folder):
    """Builds a wheel of the example from a copy of it; returns the wheel."""
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "sparseflow_extras-0.1.0-py3-none-any.whl"


def test_the_example_is_built_installed_and_used_by_a_launcher(tmp_path):
    commands, packages = install(build(tmp_path), tmp_path / "environment")
    (packages / "checkout.pth").write_text(f"{ROOT}\n")
    python = commands / "python"

    listed = run(python, LAUNCHER, "--list_plugins", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    rows = [" ".join(line.split()) for line in listed.stdout.splitlines() if "sparseflow-extras" in line]
    assert [row.partition(" 0.1.0 ")[0] for row in rows] == [
        "score lamp sparseflow-extras",
        "flow_measure dead_gradients sparseflow-extras",
        "variant ORTH sparseflow-extras",
    ]
    assert [row.partition(" 0.1.0 ")[2] for row in rows[1:]] == [
        "Share of active weights whose gradient is exactly zero, mean over layers",
        "soft orthogonality of kernels, strength 1e-4",
    ]
    assert "3 of them not built in, 0 broken" in listed.stdout

    text = (EXAMPLE / "README.md").read_text().replace("\\\n", " ")
    for command in re.findall(r"^    sparseflow-wide-resnet (.+)$", text, re.MULTILINE):
        shown = run(python, LAUNCHER, *shlex.split(command), "--only_check_args", cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr

    done = run(python, LAUNCHER, *TINY, *NAMES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    study = tmp_path / "runs" / "mine"
    (result,) = records.read_results(study).to_dict("records")
    assert result["score"] == "lamp" and result["variant"] == "ORTH" and 0 <= result["dead_gradients"] <= 1
    assert records.read_json(study / result["run_id"] / "spec.json")["plugins"] == ["sparseflow-extras 0.1.0"]
    assert records.read_study(study)["versions"]["sparseflow-extras"] == "0.1.0"
    assert "sparseflow-extras" in (study / "report.html").read_text()


@pytest.mark.parametrize(
    ("flag", "message"),
    list(zip(NAMES, ["mask score 'lamp'", "variant part 'ORTH'", "flow measure 'dead_gradients'"], strict=True)),
)
def test_its_names_are_unknown_where_it_is_not_installed(flag, message, tmp_path):
    done = processes.run(LAUNCHER, *TINY, flag, cwd=tmp_path)
    assert done.returncode == 1 and f"Unknown {message}; expected one of" in done.stderr


@pytest.fixture(name="example")
def _example(monkeypatch):
    """The example's modules."""
    monkeypatch.syspath_prepend(EXAMPLE)
    before = set(sys.modules)
    from sparseflow_extras import flow, scores, variants

    yield {"flow": flow, "scores": scores, "variants": variants}
    for name in set(sys.modules) - before:
        if name.startswith("sparseflow_extras"):
            del sys.modules[name]


def test_the_score_is_lamp(example):
    import keras

    from keras_sparseflow.masks import make_masks

    model = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(2, use_bias=False), keras.layers.Dense(1, use_bias=False)]
    )
    model.set_weights([np.array([[1.0, -2.0], [0.0, 2.0]]), np.array([[0.1], [-0.3]])])
    masks = make_masks(model, 0.5, score=example["scores"].lamp, distribution="global")
    first, second = masks.values()
    # Scores of the squares 1, 4, 0, 4 and 0.01, 0.09: 1/9, 4/8 and 4/4, 0; 0.1, 1.
    assert first.tolist() == [[False, True], [False, True]] and second.tolist() == [[False], [True]]
    values = example["scores"]._scores(np.array([[1.0, -2.0], [0.0, 2.0]]))
    np.testing.assert_allclose(values, [[1 / 9, 4 / 8], [0, 1]])
    assert example["scores"]._scores(np.zeros((2, 1))).tolist() == [[0.0], [0.0]]


def test_the_measure_is_the_share_of_active_weights_without_gradient(example):
    measure = example["flow"].DEAD_GRADIENTS
    gradients = [np.float32([[0, 1], [0, 0]]), np.float32([0, 2, 3, 4])]
    masks = [np.array([[True, True], [False, True]]), None]
    np.testing.assert_allclose(float(measure(gradients, masks)), (2 / 3 + 1 / 4) / 2, rtol=1e-6)
    assert float(measure.per_layer(gradients[0], np.zeros((2, 2), bool))) == 0


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (2, 2, 3, 4)])
def test_the_penalty_is_zero_for_orthonormal_kernels_and_as_by_hand_for_others(shape, example):
    penalty, rng = example["variants"].soft_orthogonality, np.random.default_rng(0)
    kernel = rng.normal(size=shape).astype("float32")
    matrix = kernel.reshape(-1, shape[-1])
    left, _, right = np.linalg.svd(matrix, full_matrices=False)
    assert float(penalty((left @ right).reshape(shape).astype("float32"))) < 1e-9
    singular = np.linalg.svd(matrix, compute_uv=False)
    np.testing.assert_allclose(float(penalty(kernel)), 1e-4 * np.sum((singular**2 - 1) ** 2), rtol=1e-4)
