"""Scikit-learn's bundled digits: 1797 grey images of 8x8 pixels, the default that needs no download."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from keras_sparseflow.data.images import ImageArrays
from keras_sparseflow.data.subsets import stratified_split

TEST_FRACTION = 0.2
SPLIT_SEED = 0  # constant: runs of all seeds have the same test images


def load(data_dir: str | None = None) -> ImageArrays:
    """Returns the digits: 1438 training and 359 test images, one fifth of each class.

    Args:
        data_dir: not used; the images come with scikit-learn.
    """
    del data_dir
    pixels, labels = _read()
    images = (pixels / 16).astype(np.float32).reshape(-1, 8, 8, 1)
    train, test = stratified_split(labels, TEST_FRACTION, SPLIT_SEED)
    names = tuple(str(digit) for digit in range(10))
    return ImageArrays(images[train], labels[train], images[test], labels[test], names)


def _read() -> tuple[np.ndarray, np.ndarray]:
    """Returns 1797 rows of 64 grey levels in 0..16, and their labels."""
    spec = find_spec("sklearn")
    if spec is not None and spec.origin is not None:
        # Read as a file, because importing scikit-learn takes longer than all the rest.
        path = Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz"
        if path.is_file():
            table = np.loadtxt(path, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int32)
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return pixels, labels.astype(np.int32)
