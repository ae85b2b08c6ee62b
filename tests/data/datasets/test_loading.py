"""`load_images` and `describe` for datasets that are arrays: digits and plugins."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from keras_sparseflow.data import DATASETS, ImageArrays, describe, load_images, memory
from keras_sparseflow.data.datasets import loading as datasets
from keras_sparseflow.data.datasets.loading import channel_statistics


def raw_training_images(data):
    return data.train_images * np.array(data.std) + np.array(data.mean)


@pytest.fixture
def plugin(monkeypatch):
    """Registers arrays as the dataset "mine" for one test; returns the list of `data_dir`s it was given."""
    monkeypatch.setattr(DATASETS, "_registered", dict(DATASETS._registered))

    def register(arrays):
        asked = []

        def load(data_dir):
            asked.append(data_dir)
            return arrays

        DATASETS.register("mine", load)
        return asked

    return register


def colour_arrays(count=60, size=6, dtype=np.uint8, seed=0):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, size, size, 3)).astype(dtype)
    return ImageArrays(images, np.arange(count) % 3, images[:9], np.arange(9) % 3, ("a", "b", "c"))


def test_digits_are_split_in_fifths_of_each_class():
    data = load_images()
    assert data.name == "digits"
    assert data.train_images.shape == (1438, 8, 8, 1)
    assert data.test_images.shape == (359, 8, 8, 1)
    assert data.class_names == tuple("0123456789")
    assert np.bincount(data.train_labels).tolist() == [142, 146, 142, 146, 145, 146, 145, 143, 139, 144]
    assert data.train_images.dtype == data.test_images.dtype == np.float32
    assert data.train_labels.dtype == data.test_labels.dtype == np.int32


def test_digits_are_those_of_scikit_learn_each_once():
    data = load_images("digits")
    images = np.concatenate([data.train_images, data.test_images]) * data.std[0] + data.mean[0]
    pixels = np.rint(images * 16).reshape(-1, 64)
    labels = np.concatenate([data.train_labels, data.test_labels])
    expected = np.column_stack(load_digits(return_X_y=True))
    received = np.column_stack([pixels, labels])
    np.testing.assert_array_equal(received[np.lexsort(received.T)], expected[np.lexsort(expected.T)])


def test_digits_split_never_changes():
    assert load_images("digits").test_labels[:12].tolist() == [2, 3, 1, 3, 5, 0, 1, 5, 0, 8, 0, 3]


def test_digits_load_without_tensorflow_or_scikit_learn():
    code = (
        "import sys\n"
        "from keras_sparseflow.data import describe, load_images\n"
        "load_images('digits', image_size=4, train_size=100); describe('digits')\n"
        "print({'tensorflow', 'keras', 'tensorflow_datasets', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("options", [{}, {"image_size": 2}, {"train_size": 12}, {"image_size": 3, "train_size": 30}])
def test_statistics_are_those_of_the_training_images_alone(plugin, options):
    arrays = colour_arrays()
    plugin(arrays)
    data = load_images("mine", **options)
    raw = raw_training_images(data)
    np.testing.assert_allclose(raw.mean((0, 1, 2)), data.mean, rtol=1e-5)
    np.testing.assert_allclose(raw.std((0, 1, 2)), data.std, rtol=1e-5)
    np.testing.assert_allclose(data.train_images.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(data.train_images.std((0, 1, 2)), 1, rtol=1e-5)
    if not options:
        np.testing.assert_allclose(raw, arrays.train_images / 255, atol=1e-6)
        expected = (arrays.test_images / 255 - raw.mean((0, 1, 2))) / raw.std((0, 1, 2))
        np.testing.assert_allclose(data.test_images, expected, atol=1e-5)


def test_test_images_do_not_touch_the_statistics(plugin):
    arrays = colour_arrays()
    white = ImageArrays(
        arrays.train_images, arrays.train_labels, np.full_like(arrays.test_images, 255), arrays.test_labels, "abc"
    )
    plugin(white)
    data = load_images("mine")
    np.testing.assert_allclose(data.mean, (arrays.train_images / 255).mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(data.test_images[0, 0, 0], (1 - np.array(data.mean)) / data.std, rtol=1e-5)


def test_statistics_hold_over_many_chunks(monkeypatch):
    monkeypatch.setattr(datasets, "chunk_size", lambda shape: 7)
    images = np.random.default_rng(0).random((50, 3, 4, 2), np.float32)
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, images.mean((0, 1, 2), dtype=np.float64), rtol=1e-12)
    np.testing.assert_allclose(std, images.std((0, 1, 2), dtype=np.float64), rtol=1e-6)


def test_constant_channel_is_only_centred(plugin):
    images = colour_arrays().train_images.copy()
    images[..., 1] = 77
    plugin(ImageArrays(images, np.arange(60) % 3, images[:9], np.arange(9) % 3, "abc"))
    data = load_images("mine")
    assert data.std[1] == 1
    assert data.mean[1] == pytest.approx(77 / 255)
    np.testing.assert_allclose(data.train_images[..., 1], 0, atol=1e-6)


def test_fractions_are_taken_as_they_are(plugin):
    arrays = colour_arrays()
    plugin(
        ImageArrays(arrays.train_images / 255, arrays.train_labels, arrays.test_images / 255, arrays.test_labels, "abc")
    )
    np.testing.assert_allclose(raw_training_images(load_images("mine")), arrays.train_images / 255, atol=1e-6)


def test_image_size_averages_blocks(plugin):
    arrays = colour_arrays()
    plugin(arrays)
    data = load_images("mine", image_size=3)
    blocks = arrays.train_images.reshape(-1, 3, 2, 3, 2, 3).mean((2, 4)) / 255
    assert data.input_shape == (3, 3, 3)
    assert data.test_images.shape == (9, 3, 3, 3)
    np.testing.assert_allclose(raw_training_images(data), blocks, atol=1e-6)


def test_train_size_is_exact_balanced_and_made_of_training_images():
    whole, part = load_images("digits"), load_images("digits", train_size=103)
    counts = np.bincount(part.train_labels)
    assert counts.sum() == len(part.train_images) == 103
    assert counts.max() - counts.min() == 1
    known = {(image.tobytes(), label) for image, label in zip(*rounded(whole), strict=True)}
    chosen = {(image.tobytes(), label) for image, label in zip(*rounded(part), strict=True)}
    assert chosen < known
    assert len(part.test_images) == 359


def rounded(data):
    return np.rint(raw_training_images(data) * 16).astype(np.uint8), data.train_labels


def test_subset_seed_alone_decides_the_subset():
    first = load_images("digits", train_size=50)
    np.testing.assert_array_equal(first.train_images, load_images("digits", train_size=50).train_images)
    other = load_images("digits", train_size=50, subset_seed=1)
    assert not np.array_equal(rounded(first)[0], rounded(other)[0])


def test_whole_training_set_as_subset_changes_nothing():
    whole, same = load_images("digits"), load_images("digits", train_size=1438, subset_seed=3)
    np.testing.assert_array_equal(whole.train_images, same.train_images)


@pytest.mark.parametrize("train_size", [0, 9, 1439])
def test_train_size_out_of_range_is_refused(train_size):
    with pytest.raises(ValueError, match=rf"`train_size` must be in \[10, 1438\].*'digits'.*received {train_size}"):
        load_images("digits", train_size=train_size)


@pytest.mark.parametrize("call", [load_images, describe])
def test_enlarging_is_refused(call):
    with pytest.raises(ValueError, match=r"`image_size` must be in \[1, 8\].*received 9"):
        call("digits", image_size=9)


def test_dataset_larger_than_half_of_memory_is_refused_unless_made_smaller(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: 2 * 4 * (500 + 359) * 64)
    with pytest.raises(MemoryError, match="'digits' needs .*1797 images of 8x8x1.* `image_size` .* `train_size`"):
        load_images("digits")
    assert len(load_images("digits", train_size=500).train_images) == 500
    assert len(load_images("digits", image_size=4).train_images) == 1438


def test_plugin_receives_the_data_dir(plugin, tmp_path):
    asked = plugin(colour_arrays())
    load_images("mine", data_dir=tmp_path)
    describe("mine")
    assert asked == [str(tmp_path), None]


@pytest.mark.parametrize("options", [{}, {"image_size": 3}])
def test_description_is_that_of_the_loaded_images(plugin, options):
    plugin(colour_arrays())
    for name in ("mine", "digits"):
        data = load_images(name, **options)
        assert describe(name, **options) == (data.input_shape, data.num_classes)


def test_lazy_names_are_all_there():
    import keras_sparseflow.data as room

    assert all(getattr(room, name) is not None for name in room.__all__)
    assert set(room.__all__) <= set(dir(room))
    assert callable(room.augment)
    with pytest.raises(AttributeError, match="attribute nothing"):
        room.nothing  # noqa: B018
