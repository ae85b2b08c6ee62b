"""The example of a plugin: built, installed where nothing else of ours was changed, and used by a launcher."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tests import processes

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "plugin"
LAUNCHER = ROOT / "launchers" / "wide_resnet.py"
NAMES = ["--score=lamp", "--variant=ORTH", "--flow_measures=egf_2,dead_gradients"]
TINY = [
    "--dataset=digits", "--image_size=4", "--train_size=160", "--batch_size=32", "--hidden_layers=1",
    "--width=8", "--density=0.2", "--distribution=global", "--seeds=0", "--epochs=2", "--learning_rate=0.1",
    "--flow_epochs=1", "--study=mine",
]  # fmt: skip


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
