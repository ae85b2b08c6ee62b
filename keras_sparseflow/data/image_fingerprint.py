"""The fingerprint of images, which tells other images apart, and not another machine's rounding."""

import zlib
from typing import Any

import numpy as np

from keras_sparseflow.data.images import ImageData

TOLERANCE = 1e-5
"""Relative; another machine resizes to the last bits differently, another pixel changes more than this."""


def fingerprint(data: ImageData) -> dict[str, Any]:
    """Returns how many images there are, their statistics, a digest of their labels, and a projection of each part.

    Args:
        data: the images.
    """
    all_labels, projected = [data.train_labels, data.test_labels], [data.train_images, data.test_images]
    held: dict[str, Any] = {}
    if data.validation_images is not None and data.validation_labels is not None:
        all_labels.append(data.validation_labels)
        projected.append(data.validation_images)
        held["validation_images"] = data.validation_count
    labels = zlib.crc32(np.concatenate(all_labels).astype("<i8").tobytes())
    return {
        "name": data.name,
        "train_images": len(data.train_images),
        "test_images": len(data.test_images),
        **held,
        "mean": [float(value) for value in data.mean],
        "std": [float(value) for value in data.std],
        "labels": f"{labels:08x}",
        "projections": [_projection(images) for images in projected],
    }


def same_images(before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Returns whether two fingerprints are of the same images.

    Args:
        before: a fingerprint; keys that it lacks count as other images.
        now: another.
    """
    exact = ("name", "train_images", "test_images", "validation_images", "labels")
    return all(before.get(key) == now.get(key) for key in exact) and np.allclose(
        before.get("projections", [np.nan, np.nan]), now["projections"], rtol=TOLERANCE
    )


def _projection(images: np.ndarray) -> float:
    """Returns the sum of all pixels, each weighted by a fixed random number for its image and one for its place."""
    rng = np.random.default_rng(0)
    rows = images.reshape(len(images), -1)
    places, weights = rng.standard_normal(rows.shape[1]), rng.standard_normal(len(rows))
    return float(weights @ (rows @ places.astype("float32")))
