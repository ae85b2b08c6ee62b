"""`load_images`, one call that loads any dataset, and its size without loading."""

import dataclasses
import os
from math import prod

import numpy as np

from keras_sparseflow.checks import check_number, check_seed, shown
from keras_sparseflow.data.datasets.known import KNOWN, DataSize, check_train_size
from keras_sparseflow.data.datasets.sources import ArraySource, ImageSource, chunk_size
from keras_sparseflow.data.images import ImageData, check_labels
from keras_sparseflow.data.memory import require_memory
from keras_sparseflow.data.resizing import Shape, area_resize, target_shape
from keras_sparseflow.data.subsets import balanced_subset
from keras_sparseflow.plugins import Table

# Built-in and third-party datasets; see `ImageArrays` for plugins. Names of TensorFlow Datasets need no entry here.
DATASETS = Table(
    "dataset", "keras_sparseflow.dataset", {"digits": "keras_sparseflow.data.datasets.digits:load"}, expects="callable"
)

FOLDER = "folder"
_CONSTANT = 1e-6  # a standard deviation below this is rounding: the channel is constant


def load_images(
    name: str = "digits",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    train_size: int | None = None,
    subset_seed: int = 0,
    validation_size: int | None = None,
    validation_seed: int = 0,
) -> ImageData:
    """Returns a dataset as standardised float32 images in memory.

    Each channel is standardised by the mean and the standard deviation of the returned training images,
    after down-sampling; the test images by the same numbers.

    Args:
        name: one of

            - `"digits"`: scikit-learn's 8x8 digits, which need no download, or another name in `DATASETS`;
            - a dataset of TensorFlow Datasets with the features `image` and `label`, such as `"cifar10"`
              or `"cifar10_corrupted/fog_5"`: read from `data_dir`, downloaded if it is not there. It is
              tested on its split `test`, or `validation` where there is none;
            - `"folder"`: the PNG and JPEG files in `data_dir/train/<class>/` and `data_dir/test/<class>/`, where
              `validation` or `val` may stand for `test`; or Tiny-ImageNet's, as it is unpacked.
        data_dir: folder of datasets; None for TensorFlow Datasets' default (the environment variable
            `TFDS_DATA_DIR`, or `~/tensorflow_datasets`). With `"folder"`, the image folder.
        image_size: height and width to which images are down-sampled, each pixel the mean of those it
            covers. Needed where images vary in size; never enlarges.
        train_size: number of training images to keep, equal for all classes.
        subset_seed: int, at least 0, seed of that choice; besides the images held out, nothing else decides it.
        validation_size: number of training images, equal for all classes, to hold out for validation; they are the
            same ones whatever `train_size` is. None for none.
        validation_seed: int, at least 0, seed of that choice; nothing else decides it.

    Returns:
        An `ImageData`.

    Raises:
        ValueError: an unknown name, a dataset that is not one of image classification, or an `image_size`,
            `train_size` or `validation_size` that the dataset cannot give.
        RuntimeError: the dataset cannot be downloaded, or its files are damaged.
        MemoryError: the images would take more than half of the available memory.

    Example:
        >>> digits = load_images("digits", image_size=4, train_size=200)
        >>> digits.train_images.shape, digits.test_images.shape, digits.num_classes
        ((200, 4, 4, 1), (359, 4, 4, 1), 10)
        >>> digits = load_images("digits", validation_size=100)
        >>> len(digits.train_images), digits.validation_images.shape
        (1338, (100, 8, 8, 1))
    """
    subset_seed = check_seed(subset_seed, "subset_seed")
    validation_seed = check_seed(validation_seed, "validation_seed")
    for argument, size in (("train_size", train_size), ("validation_size", validation_size)):
        if size is not None:
            check_number(argument, size, whole=True)
    source = _open(name, data_dir)
    shape = _final_shape(source, image_size)
    counts = {"train": source.count("train"), "test": source.count("test")}
    num_classes = len(source.class_names)
    check_train_size(name, train_size, num_classes, counts["train"], validation_size)
    held = validation_size or 0
    kept = counts["train"] - held if train_size is None else train_size
    require_memory(name, kept + held + counts["test"], shape)

    subset, validation = _split(source, train_size, subset_seed, held, validation_seed)
    train_images, train_labels = _read(source, "train", subset, kept, image_size, shape)
    test_images, test_labels = _read(source, "test", None, counts["test"], image_size, shape)
    validation_images = validation_labels = None
    if validation is not None:
        validation_images, validation_labels = _read(source, "train", validation, held, image_size, shape)
    mean, std = channel_statistics(train_images)
    std = np.where(std < _CONSTANT, 1.0, std)
    for images in (train_images, test_images, validation_images):
        if images is None:
            continue
        np.subtract(images, mean.astype(np.float32), out=images)
        np.divide(images, std.astype(np.float32), out=images)
    return ImageData(
        name,
        train_images,
        train_labels,
        test_images,
        test_labels,
        source.class_names,
        tuple(mean.tolist()),
        tuple(std.tolist()),
        validation_images,
        validation_labels,
    )


def _split(
    source: ImageSource, train_size: int | None, subset_seed: int, held: int, validation_seed: int
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Returns the indices of the images to train on, None for all, and of those held out, None for none.

    Images are held out first: so they are the same beside any choice of the others.

    Raises:
        ValueError: a class has no image left to train on.
    """
    if train_size is None and not held:
        return None, None
    labels = source.labels("train")
    validation = balanced_subset(labels, held, validation_seed)
    left = np.setdiff1d(np.arange(len(labels)), validation)
    if missing := sorted(set(np.unique(labels).tolist()) - set(np.unique(labels[left]).tolist())):
        raise ValueError(
            f"`validation_size` must leave each class an image to train on; {held} leave none of "
            f"{', '.join(source.class_names[label] for label in missing[:10])}."
        )
    kept = left if train_size is None else left[balanced_subset(labels[left], train_size, subset_seed)]
    return kept, (validation if held else None)


def describe(
    name: str = "digits",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
) -> tuple[tuple[int, int, int], int]:
    """Returns the input shape and the number of classes that `load_images` would give, reading little.

    For TensorFlow Datasets the description is enough, downloaded or not; a few images are read only if it
    does not say their size.

    Args:
        name: as for `load_images`.
        data_dir: as for `load_images`.
        image_size: as for `load_images`.

    Returns:
        `(height, width, channels)` and the number of classes.

    Example:
        >>> describe("digits")
        ((8, 8, 1), 10)
    """
    source = _open(name, data_dir, prepare=False)
    if not source.class_names or (image_size is None and None in source.image_shape):
        source = _open(name, data_dir)
    return _final_shape(source, image_size), len(source.class_names)


def data_size(
    name: str = "digits",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    train_size: int | None = None,
    validation_size: int | None = None,
) -> DataSize:
    """Returns the number of images that `load_images` would give, and their shape.

    Nothing is read for a dataset in `KNOWN`. Another one is read from disk, or downloaded.

    Args:
        name: as for `load_images`.
        data_dir: as for `load_images`.
        image_size: as for `load_images`.
        train_size: as for `load_images`.
        validation_size: as for `load_images`.

    Raises:
        ValueError: as `load_images`.

    Example:
        >>> data_size("cifar10", image_size=8, train_size=5000)
        DataSize(input_shape=(8, 8, 3), classes=10, train_images=5000, test_images=10000, validation_images=0)
    """
    if name in KNOWN and name not in DATASETS:
        known = KNOWN[name]
        height, width, channels = target_shape(known.input_shape, image_size)
        assert height is not None and width is not None
        size = dataclasses.replace(known, input_shape=(height, width, channels))
    else:
        source = _open(name, data_dir)
        counts = source.count("train"), source.count("test")
        size = DataSize(_final_shape(source, image_size), len(source.class_names), *counts)
    check_train_size(name, train_size, size.classes, size.train_images, validation_size)
    return size.subset(train_size, validation_size)


def channel_statistics(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and the standard deviation of each channel, summed in float64 chunk by chunk.

    Args:
        images: float32 of shape `(count, height, width, channels)`.

    Returns:
        Two float64 arrays of shape `(channels,)`.
    """
    step = chunk_size(images.shape[1:])
    chunks = range(0, len(images), step)
    pixels = prod(images.shape[:3])
    mean = sum(images[i : i + step].sum((0, 1, 2), dtype=np.float64) for i in chunks) / pixels
    squares = sum(np.square(images[i : i + step] - mean).sum((0, 1, 2)) for i in chunks)
    return mean, np.sqrt(squares / pixels)


def _open(name: str, data_dir: str | os.PathLike[str] | None, prepare: bool = True) -> ImageSource:
    """Returns the source of a named dataset; without `prepare`, one that may only describe itself."""
    if not isinstance(name, str):
        raise ValueError(f"`name` must be the name of a dataset; received {shown(name)}.")
    if not isinstance(data_dir, str | os.PathLike | None):
        raise ValueError(f"`data_dir` must be a path or None; received {shown(data_dir)}.")
    directory = None if data_dir is None else os.path.expanduser(os.fspath(data_dir))
    if name in DATASETS:
        return ArraySource(DATASETS.get(name)(directory))
    from keras_sparseflow.data.datasets import catalogue, folders  # these load TensorFlow

    if name == FOLDER:
        return folders.open_folder(directory)
    return catalogue.open_dataset(name, directory, [*DATASETS.names(), FOLDER], prepare)


def _final_shape(source: ImageSource, image_size: int | None) -> tuple[int, int, int]:
    """Returns the final shape of every image."""
    shape: Shape = source.common_shape() if image_size is None else source.image_shape
    height, width, channels = target_shape(shape, image_size)
    assert height is not None and width is not None
    return height, width, channels


def _read(
    source: ImageSource,
    split: str,
    indices: np.ndarray | None,
    count: int,
    image_size: int | None,
    shape: tuple[int, int, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Returns `count` images in [0, 1] at their final shape, and their labels.

    Chunk after chunk goes into one array of the final size, so nothing larger is ever in memory.
    """
    images, labels, filled = np.empty((count, *shape), np.float32), np.empty(count, np.int32), 0
    for chunk, chunk_labels in source.batches(split, indices, image_size):
        end = filled + len(chunk)
        np.divide(area_resize(chunk, shape[0]) if image_size else chunk, source.white, out=images[filled:end])
        labels[filled:end] = chunk_labels
        filled = end
    assert filled == count  # a source with fewer images has raised an error
    check_labels(f"{split} labels", labels, count, len(source.class_names))
    return images, labels
