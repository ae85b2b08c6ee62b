"""Whether the images of a study are those that its runs were trained on: a dataset may change behind its name."""

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from keras_sparseflow.data import ImageData
from keras_sparseflow.records import read_study

TOLERANCE = 1e-5
"""Relative; another machine resizes to the last bits differently, another pixel changes more than this."""


def describe_images(data: ImageData) -> dict[str, Any]:
    """Returns what `study.json` says of the images: how many, their statistics, labels and projections."""
    labels = zlib.crc32(np.concatenate([data.train_labels, data.test_labels]).astype("<i8").tobytes())
    return {
        "name": data.name,
        "train_images": len(data.train_images),
        "test_images": len(data.test_images),
        "mean": [float(value) for value in data.mean],
        "std": [float(value) for value in data.std],
        "labels": f"{labels:08x}",
        "projections": [_projection(data.train_images), _projection(data.test_images)],
    }


def check_same_images(study_dir: Path, images: dict[str, Any]) -> None:
    """Compares images with those of a study's runs, finished or begun.

    Args:
        study_dir: the study's folder, which may not be there yet.
        images: what `describe_images` returned.

    Raises:
        ValueError: runs of the study were trained on other images.
    """
    begun = any(study_dir.glob("*/result.json")) or any(study_dir.glob("*/checkpoint.npz"))
    if not begun or not (study_dir / "study.json").exists():
        return
    before = read_study(study_dir).get("data")
    if before is not None and not _same(before, images):
        raise ValueError(
            f"The images of this study are not those its runs in {study_dir} were trained on: expected "
            f"{before}; received {images}. Choose another --study name."
        )


def _same(before: dict[str, Any], images: dict[str, Any]) -> bool:
    exact = ("name", "train_images", "test_images", "labels")
    return all(before.get(key) == images[key] for key in exact) and np.allclose(
        before.get("projections", [np.nan, np.nan]), images["projections"], rtol=TOLERANCE
    )


def _projection(images: np.ndarray) -> float:
    """Returns the sum of all pixels, each weighted by a fixed random number for its image and one for its place."""
    rng = np.random.default_rng(0)
    rows = images.reshape(len(images), -1)
    places, weights = rng.standard_normal(rows.shape[1]), rng.standard_normal(len(rows))
    return float(weights @ (rows @ places.astype("float32")))
