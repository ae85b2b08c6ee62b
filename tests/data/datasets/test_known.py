"""Sizes of datasets, known without their files."""

import pytest
import tensorflow_datasets as tfds

from keras_sparseflow.data import data_size, describe, load_images
from keras_sparseflow.data.datasets.known import KNOWN, DataSize


@pytest.fixture
def nothing_is_opened(monkeypatch):
    monkeypatch.setattr(tfds, "builder", None)  # calling it would be a TypeError


def test_the_papers_datasets_are_known_without_being_there(nothing_is_opened, tmp_path):
    sizes = {name: data_size(name, data_dir=str(tmp_path)) for name in ("fashion_mnist", "cifar10", "cifar100")}
    assert sizes["fashion_mnist"] == DataSize((28, 28, 1), 10, 60_000, 10_000)
    assert sizes["cifar10"] == DataSize((32, 32, 3), 10, 50_000, 10_000)
    assert sizes["cifar100"] == DataSize((32, 32, 3), 100, 50_000, 10_000)


@pytest.mark.parametrize("name", KNOWN)
def test_known_shapes_and_classes_are_those_of_their_descriptions(name, tmp_path):
    assert (KNOWN[name].input_shape, KNOWN[name].classes) == describe(name, data_dir=tmp_path)


def test_images_and_training_sets_are_reduced_as_they_are_when_loaded(nothing_is_opened):
    size = data_size("cifar10", image_size=8, train_size=5000)
    assert size == DataSize((8, 8, 3), 10, 5000, 10_000) and size.inputs == 192


@pytest.mark.parametrize("choices", [{}, {"image_size": 4, "train_size": 200}])
def test_any_other_dataset_is_measured_where_it_lies(choices):
    data = load_images("digits", **choices)
    counts = len(data.train_images), len(data.test_images)
    assert data_size("digits", **choices) == DataSize(data.input_shape, data.num_classes, *counts)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"image_size": 40}, r"`image_size` must be in \[1, 32\].*received 40"),
        ({"train_size": 50_001}, r"`train_size` must be in \[10, 50000\].*received 50001"),
        ({"train_size": 9}, r"`train_size` must be in \[10, 50000\].*received 9"),
    ],
)
def test_what_a_dataset_cannot_give_is_refused(choices, message, nothing_is_opened):
    with pytest.raises(ValueError, match=message):
        data_size("cifar10", **choices)
