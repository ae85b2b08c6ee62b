"""Runs small enough to be trained in a second."""

import numpy as np
import pytest

from keras_sparseflow.data import ImageData
from keras_sparseflow.records import RunFolder
from keras_sparseflow.records.checkpoint_clock import CheckpointClock
from keras_sparseflow.studies.comparisons import matched_pair
from keras_sparseflow.studies.spec.run_spec import RunSpec

SMALL = {"hidden_layers": 1, "epochs": 3, "batch_size": 24, "learning_rate": 0.1}


@pytest.fixture(scope="session")
def data():
    """Three classes of 4x4 images that differ in their mean image: learnable within a few steps."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(3, 4, 4, 1))
    labels = np.arange(60, dtype="int32") % 3
    images = (centres[labels] + 0.5 * rng.normal(size=(60, 4, 4, 1))).astype("float32")
    return ImageData(
        name="blobs", train_images=images[:48], train_labels=labels[:48], test_images=images[48:],
        test_labels=labels[48:], class_names=("a", "b", "c"), mean=np.zeros(1, "float32"), std=np.ones(1, "float32"),
    )  # fmt: skip


@pytest.fixture(scope="session")
def spec():
    """Makes a perceptron of 20 hidden units that has as many active weights in each kernel as a dense one of 6."""
    return lambda **values: RunSpec.of(**{"width": 20, "matched_fraction": 0.3, **SMALL, **values})


@pytest.fixture(scope="session")
def pair():
    """Makes both arms of a matched pair: that perceptron, and the dense one."""

    def make(width=20, fraction=0.3, **values):
        return [member.spec for member in matched_pair(width, fraction, **{**SMALL, **values})]

    return make


@pytest.fixture
def folder(tmp_path):
    def make(spec, name="study"):
        return RunFolder(tmp_path / name, spec.run_id)

    return make


@pytest.fixture
def every_epoch(monkeypatch):
    """Checkpoints of 0 seconds are due after every epoch, however long the last one took."""
    due = CheckpointClock.due
    monkeypatch.setattr(CheckpointClock, "due", lambda clock: clock._seconds == 0 or due(clock))
