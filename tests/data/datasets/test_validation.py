"""Images held out for validation: which they are, what they leave, and what can't be held out."""

import dataclasses

import numpy as np
import pytest

from keras_sparseflow.data import ImageArrays, data_size, load_images
from keras_sparseflow.data.image_fingerprint import fingerprint, same_images
from keras_sparseflow.plugins import table
from tests.plugins.packages import registered

ALL = 1438
"""Training images of digits."""


def _rows(images, data):
    """Returns images as they were before they were standardised, a tuple for each."""
    raw = images * np.array(data.std) + np.array(data.mean)
    return [tuple(np.round(16 * image.ravel()).astype(int)) for image in raw]


def _parts(**options):
    data = load_images("digits", **options)
    return data, _rows(data.train_images, data), _rows(data.validation_images, data)


def test_images_are_taken_from_training_and_none_is_lost():
    data, kept, held = _parts(validation_size=200)
    whole = load_images("digits")
    assert sorted(kept + held) == sorted(_rows(whole.train_images, whole)) and len(held) == data.validation_count == 200
    assert np.bincount(data.validation_labels).tolist() == [20] * 10
    np.testing.assert_array_equal(data.test_labels, whole.test_labels)
    assert whole.validation_images is whole.validation_labels is None and whole.validation_count == 0


def test_they_are_the_same_beside_any_choice_of_training_images():
    held = [
        sorted(_parts(validation_size=100, **options)[2])
        for options in ({}, {"train_size": 50}, {"train_size": 300, "subset_seed": 4})
    ]
    assert held[0] == held[1] == held[2]
    _, kept, held = _parts(validation_size=100, train_size=ALL - 100)
    assert sorted(kept) == sorted(_parts(validation_size=100)[1]), "all that are left"
    other = _parts(validation_size=100, validation_seed=1)
    assert sorted(other[2]) != sorted(held) and len(set(other[2]) | set(other[1])) == len(set(kept) | set(held))


def test_statistics_are_those_of_the_images_that_are_trained_on():
    data = load_images("digits", validation_size=400, train_size=100)
    np.testing.assert_allclose(data.train_images.mean(), 0, atol=1e-5)
    np.testing.assert_allclose(data.train_images.std(), 1, rtol=1e-4)
    assert abs(data.validation_images.mean()) > 1e-4
    with pytest.raises(ValueError, match="read-only"):
        data.validation_images[0] = 0


def test_labels_belong_to_their_images():
    data, whole = load_images("digits", validation_size=300), load_images("digits")
    known = dict(zip(_rows(whole.train_images, whole), whole.train_labels.tolist(), strict=True))
    found = zip(_rows(data.validation_images, data), data.validation_labels.tolist(), strict=True)
    assert all(known[image] == label for image, label in found)


@pytest.mark.parametrize(
    "choices", [{"validation_size": 100}, {"validation_size": 10, "train_size": 30, "image_size": 4}]
)
def test_the_size_is_known_without_loading(choices):
    data, size = load_images("digits", **choices), data_size("digits", **choices)
    assert (size.train_images, size.validation_images) == (len(data.train_images), data.validation_count)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"validation_size": 9}, r"`validation_size` must be in \[10, 1428\].*received 9"),
        ({"validation_size": 1429}, r"`validation_size` must be in \[10, 1428\].*received 1429"),
        (
            {"validation_size": 1000, "train_size": 500},
            r"`train_size` must be in \[10, 438\].* all but the 1000 of `validation_size`; received 500",
        ),
        ({"validation_size": 20.5}, "`validation_size` must be a whole number; received 20.5"),
    ],
)
def test_more_than_there_is_can_not_be_held_out(choices, message):
    with pytest.raises(ValueError, match=message):
        load_images("digits", **choices)
    if isinstance(choices["validation_size"], int):
        with pytest.raises(ValueError, match=message):
            data_size("digits", **choices)


@pytest.mark.parametrize("seed", [-1, 0.5])
def test_a_seed_is_checked(seed):
    with pytest.raises(ValueError, match="`validation_seed`"):
        load_images("digits", validation_size=20, validation_seed=seed)


def test_a_class_without_an_image_left_is_named(monkeypatch):
    images = np.random.default_rng(0).random((21, 2, 2, 1))
    arrays = ImageArrays(images, np.array([0] * 20 + [1]), images[:2], np.array([0, 1]), ("many", "few"))
    registered(monkeypatch, table("dataset"), uneven=lambda data_dir: arrays)
    with pytest.raises(ValueError, match="leave none of few"):
        load_images("uneven", validation_size=4)


def test_other_images_held_out_are_other_images():
    plain, held, others = (
        fingerprint(load_images("digits", train_size=100, **options))
        for options in ({}, {"validation_size": 50}, {"validation_size": 50, "validation_seed": 1})
    )
    assert list(plain) == ["name", "train_images", "test_images", "mean", "std", "labels", "projections"]
    assert len(plain["projections"]) == 2, "as studies without validation have stored it"
    assert same_images(held, held) and same_images(plain, plain)
    for one, other in ((plain, held), (held, plain), (held, others)):
        assert not same_images(one, other)
    data = load_images("digits", train_size=100, validation_size=50)
    moved = dataclasses.replace(data, validation_images=data.validation_images[::-1].copy())
    assert not same_images(fingerprint(data), fingerprint(moved))
