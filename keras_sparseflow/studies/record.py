"""The record of a study besides its choices: versions, machine, command and images."""

import functools
import os
import platform
import shlex
import subprocess
import sys
import zlib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from keras_sparseflow.data import ImageData
from keras_sparseflow.records import read_study

PACKAGES = ("keras_sparseflow", "keras", "tensorflow", "tensorflow-datasets", "numpy", "scipy", "pandas")


@functools.cache
def versions() -> dict[str, str]:
    """Returns the versions of Python, of the packages that decide results, and the commit of this code."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}, "commit": _commit()}


def plugin_versions(plugins: Iterable[str]) -> dict[str, str]:
    """Returns versions by name, given plugins as specs record them.

    Example:
        >>> plugin_versions(["my-masks 1.2", "__main__.my_score"])
        {'__main__.my_score': 'no version', 'my-masks': '1.2'}
    """
    parted = (plugin.partition(" ") for plugin in sorted(plugins))
    return {name: version or "no version" for name, _, version in parted}


def machine() -> dict[str, str]:
    """Returns what the results were computed on."""
    processor = platform.processor() or platform.machine()
    return {"system": platform.platform(), "processor": processor, "cores": str(os.cpu_count())}


def command_line() -> str:
    """Returns the command that was typed: a script of a checkout, or an installed command without its folder."""
    program, *arguments = sys.argv
    typed = ["python", program] if program.endswith(".py") else [Path(program).name]
    return shlex.join([*typed, *arguments])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Returns the commit of the checkout this file is tracked in."""
    here = Path(__file__).resolve()
    try:
        for arguments in (
            ["ls-files", "--error-unmatch", here.name],
            ["describe", "--always", "--dirty", "--abbrev=12"],
        ):
            done = subprocess.run(
                ["git", "-C", str(here.parent), *arguments], capture_output=True, text=True, timeout=10, check=True
            )
    except (OSError, subprocess.SubprocessError):
        return "unknown: not in a git checkout"
    return done.stdout.strip()


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
