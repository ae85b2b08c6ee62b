"""Images read back from prepared datasets, whole or damaged."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_sparseflow.data import describe, encoded, load_images
from keras_sparseflow.data.datasets import builders

REAL_DATA = Path(os.environ.get("SPARSEFLOW_TFDS", Path(__file__).resolve().parents[4] / "shared" / "tfds"))


def needs(name):
    reason = f"needs {name} prepared under {REAL_DATA} (set SPARSEFLOW_TFDS to another directory)"
    return pytest.mark.skipif(not (REAL_DATA / name).is_dir(), reason=reason)


def raw(data, split="train"):
    return getattr(data, f"{split}_images") * np.array(data.std) + np.array(data.mean)


def read_by_tfds(root, name, split):
    builder = tfds.builder(name, data_dir=root)
    examples = list(builder.as_dataset(split=split, read_config=tfds.ReadConfig(interleave_cycle_length=1)))
    return [example["image"].numpy() for example in examples], [int(example["label"]) for example in examples]


# Real data


@pytest.mark.slow
@needs("fashion_mnist")
def test_fashion_mnist_has_the_published_statistics():
    data = load_images("fashion_mnist", data_dir=REAL_DATA)
    assert data.train_images.shape == (60000, 28, 28, 1)
    assert data.test_images.shape == (10000, 28, 28, 1)
    assert data.mean[0] == pytest.approx(0.2860, abs=5e-5)
    assert data.std[0] == pytest.approx(0.3530, abs=5e-5)
    assert data.class_names[9] == "Ankle boot"


@pytest.mark.slow
@needs("cifar10")
def test_cifar10_subset_is_the_area_mean_of_images_that_tfds_reads():
    data = load_images("cifar10", data_dir=REAL_DATA, image_size=8, train_size=50)
    assert data.train_images.shape == (50, 8, 8, 3)
    assert np.bincount(data.train_labels).tolist() == [5] * 10
    examples = tfds.load("cifar10", data_dir=REAL_DATA, split="test[:100]", as_supervised=True)
    images, labels = next(examples.batch(100).as_numpy_iterator())
    expected = tf.image.resize(images, (8, 8), "area").numpy() / 255
    np.testing.assert_allclose(raw(data, "test")[:100], expected, atol=1e-5)
    np.testing.assert_array_equal(data.test_labels[:100], labels)


@needs("cifar10")
def test_cifar10_description_needs_no_images(monkeypatch):
    monkeypatch.setattr(builders.BuilderSource, "_examples", None)
    assert describe("cifar10", data_dir=REAL_DATA) == ((32, 32, 3), 10)
    assert describe("cifar10", data_dir=REAL_DATA, image_size=8) == ((8, 8, 3), 10)


# Prepared datasets of every kind


def test_prepared_dataset_is_read_image_for_image(made):
    data = load_images("made", data_dir=made)
    assert data.class_names == ("cat", "dog", "eel")
    for split, labels in (("train", data.train_labels), ("test", data.test_labels)):
        images, expected_labels = read_by_tfds(made, "made", split)
        np.testing.assert_allclose(raw(data, split), np.stack(images) / 255, atol=1e-6)
        assert labels.tolist() == expected_labels


def test_subset_holds_images_with_their_own_labels(made):
    data = load_images("made", data_dir=made, train_size=7)
    images, labels = read_by_tfds(made, "made", "train")
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    chosen = np.rint(raw(data) * 255).astype(np.uint8)
    assert [known[image.tobytes()] for image in chosen] == data.train_labels.tolist()
    assert sorted(np.bincount(data.train_labels)) == [2, 2, 3]


def test_version_and_configuration_may_be_in_the_name(made):
    assert len(load_images("made:1.0.0", data_dir=made).train_images) == 30


def test_varying_images_are_brought_to_one_size(made):
    data = load_images("varying", data_dir=made, image_size=4)
    images, _ = read_by_tfds(made, "varying", "train")
    expected = [tf.image.resize(image, (4, 4), "area") / 255 for image in images]
    np.testing.assert_allclose(raw(data), expected, atol=1e-5)


def test_varying_images_need_an_image_size(made):
    message = r"'varying' vary in size, for example \dx8x3 and \dx8x3; expected an `image_size`.* received None"
    with pytest.raises(ValueError, match=message):
        load_images("varying", data_dir=made)
    with pytest.raises(ValueError, match=message):
        describe("varying", data_dir=made)
    assert describe("varying", data_dir=made, image_size=4) == ((4, 4, 3), 3)


def test_images_found_to_vary_while_reading_are_refused(made, monkeypatch):
    monkeypatch.setattr(encoded, "_PROBED_IMAGES", 1)
    with pytest.raises(ValueError, match="vary in size"):
        load_images("varying", data_dir=made)


def test_varying_images_are_not_enlarged(made):
    with pytest.raises(ValueError, match=r"`image_size` must be in \[1, 6\].*6x8 .*received 7"):
        load_images("varying", data_dir=made, image_size=7)


def test_images_of_one_size_that_is_not_declared_need_no_image_size(made):
    assert describe("unvarying", data_dir=made) == ((7, 8, 3), 3)
    data = load_images("unvarying", data_dir=made)
    images, _ = read_by_tfds(made, "unvarying", "train")
    np.testing.assert_allclose(raw(data), np.stack(images) / 255, atol=1e-6)


def test_validation_stands_in_for_test(made):
    assert len(load_images("validated", data_dir=made).test_images) == 9


def test_dataset_without_test_images_is_refused(made):
    with pytest.raises(ValueError, match="'untested' must have a split `test` or `validation`; received train"):
        load_images("untested", data_dir=made)


# Damage


def test_truncated_records_say_to_prepare_again(copy_of):
    root, files = copy_of("made")
    record = files / "made-train.tfrecord-00000-of-00001"
    record.write_bytes(record.read_bytes()[:-100])
    with pytest.raises(RuntimeError, match=r"(?s)train images of dataset 'made'.*incomplete or corrupt.*tfds build"):
        load_images("made", data_dir=root)
    with pytest.raises(RuntimeError, match="incomplete or corrupt"):
        load_images("made", data_dir=root, train_size=6)


def test_missing_records_say_to_prepare_again(copy_of):
    root, files = copy_of("made")
    (files / "made-test.tfrecord-00000-of-00001").unlink()
    with pytest.raises(RuntimeError, match="test images of dataset 'made'.*incomplete or corrupt"):
        load_images("made", data_dir=root)


@pytest.mark.parametrize("declared", ["29", "31"])
def test_other_number_of_images_than_declared_is_refused(copy_of, declared):
    root, files = copy_of("made")
    description = json.loads((files / "dataset_info.json").read_text())
    for split in description["splits"]:
        if split["name"] == "train":
            split["shardLengths"] = [declared]
    (files / "dataset_info.json").write_text(json.dumps(description))
    with pytest.raises(RuntimeError, match="train images of dataset 'made'.*incomplete or corrupt"):
        load_images("made", data_dir=root)
