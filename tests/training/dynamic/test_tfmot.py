"""tfmot beside Keras 3: what its import leaves alone, and its masks against NumPy."""

import os
import sys

import numpy as np
import pytest

from keras_sparseflow.training.dynamic.pruning import MagnitudePruning
from keras_sparseflow.training.dynamic.tfmot import import_tfmot, tfmot_mask

KERNEL = np.random.default_rng(0).normal(size=(6, 8)).astype("float32")


def schedule(sparsity, **steps):
    return import_tfmot().sparsity.keras.ConstantSparsity(sparsity, **{"begin_step": 1, **steps})


def test_a_choice_of_keras_that_the_environment_has_made_stays(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    forget_tfmot(monkeypatch)
    import_tfmot()
    assert os.environ["TF_USE_LEGACY_KERAS"] == "0"


def forget_tfmot(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("tensorflow_model_optimization")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("missing", ["tensorflow_model_optimization", "tf_keras"])
def test_without_it_the_import_error_names_the_extra(missing, monkeypatch):
    forget_tfmot(monkeypatch)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(
        ImportError, match=rf"`pip install tensorflow-model-optimization` brings both. .import of {missing}"
    ):
        MagnitudePruning(None)


@pytest.mark.parametrize("sparsity", [0.0, 0.3, 0.5, 0.99])
def test_the_largest_magnitudes_stay(sparsity):
    kept = max(1, round(KERNEL.size * (1 - sparsity)))
    expected = np.zeros(KERNEL.size, bool)
    expected[np.argsort(-np.abs(KERNEL.ravel()))[:kept]] = True
    mask = tfmot_mask(KERNEL, 1, schedule(sparsity, frequency=1))
    assert mask.dtype == bool and np.array_equal(mask, expected.reshape(KERNEL.shape))


@pytest.mark.parametrize(("pooling", "score"), [("AVG", np.mean), ("MAX", np.max)])
def test_blocks_stay_whole(pooling, score):
    scores = score(np.abs(KERNEL).reshape(3, 2, 2, 4), axis=(1, 3))  # 3 x 2 blocks of 2 x 4
    expected = np.repeat(np.repeat(scores >= np.sort(scores.ravel())[3], 2, axis=0), 4, axis=1)
    mask = tfmot_mask(KERNEL, 1, schedule(0.5, frequency=1), block_size=(2, 4), block_pooling_type=pooling)
    assert np.array_equal(mask, expected)


def test_m_zeros_stand_in_every_n_successive_inputs():
    kernel = np.random.default_rng(1).normal(size=(3, 3, 8, 2)).astype("float32")
    mask = tfmot_mask(kernel, 1, schedule(0.5, frequency=1), sparsity_m_by_n=(3, 4))
    groups = np.abs(kernel).reshape(3, 3, 2, 4, 2)
    assert np.array_equal(mask.reshape(groups.shape), groups == groups.max(axis=3, keepdims=True))


def test_nothing_is_removed_at_a_step_that_the_schedule_does_not_call_for():
    assert tfmot_mask(KERNEL, 4, schedule(0.5, frequency=2)).all()
    assert not tfmot_mask(KERNEL, 5, schedule(0.5, frequency=2)).all()
