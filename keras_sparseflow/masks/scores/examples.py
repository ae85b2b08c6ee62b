"""Examples for scores: batches of any data, and a few examples of each class."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_sparseflow.checks import check_seed

Batch = tuple[Any, ...]


def as_batches(data: Any, batch_size: int = 256) -> list[Batch]:
    """Returns batches `(x, y)` or `(x, y, sample_weight)`, all in memory, so that each pass sees the same ones.

    Args:
        data: arrays `(x, y)` or `(x, y, sample_weight)`, each one array or a structure of several; or a
            `tf.data.Dataset` of such batches, which is read once, in its own batches.
        batch_size: examples in a batch of arrays, at least 1.

    Raises:
        ValueError: the data have another type, hold no example or never end, or arrays differ in length.
    """
    return list(batches_in_turn(data, batch_size))


def batches_in_turn(data: Any, batch_size: int | None = None) -> Iterator[Batch]:
    """Yields the batches of `as_batches` one by one, so that only one is in memory.

    Args:
        data: see `as_batches`.
        batch_size: examples in a batch of arrays, at least 1; None for all in one.

    Raises:
        ValueError: see `as_batches`.
    """
    if batch_size is not None and batch_size < 1:
        raise ValueError(f"`batch_size` must be at least 1; received {batch_size}.")
    if isinstance(data, tuple) and len(data) in (2, 3):
        batches = _slices(data, batch_size)
    elif hasattr(data, "element_spec"):
        batches = _read(data)
    else:
        raise ValueError(
            "`data` must be arrays (x, y) or (x, y, sample_weight), or a tf.data.Dataset of batches; received "
            f"{type(data).__name__}."
        )
    empty = True
    for batch in batches:
        empty = False
        yield batch
    if empty:
        raise ValueError("`data` must hold at least one example; received none.")


def samples_per_class(
    images: np.ndarray, labels: np.ndarray, samples: int = 10, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Returns equally many examples of each class in random order, as GraSP needs them.

    Args:
        images: array whose first axis counts examples.
        labels: integers of shape `(examples,)`.
        samples: examples of each class, at least 1.
        seed: int, at least 0; decides which examples are drawn, and their order.

    Raises:
        ValueError: labels are not integers or have another length, or a class has too few examples.

    Example:
        >>> images, labels = samples_per_class(np.arange(8), np.array([0, 0, 0, 1, 1, 1, 2, 2]), samples=2)
        >>> np.bincount(labels)
        array([2, 2, 2])

    References:
        Wang, Zhang, Grosse 2020, Picking Winning Tickets Before Training by Preserving Gradient Flow.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"`labels` must be integers of shape ({len(images)},), one for each image; received {labels.dtype} of "
            f"shape {labels.shape}."
        )
    classes, counts = np.unique(labels, return_counts=True)
    if samples < 1 or not len(classes) or counts.min() < samples:
        least = f"; class {classes[counts.argmin()]} has {counts.min()}" if len(classes) else ""
        raise ValueError(f"`samples` must be at least 1 and at most what each class has{least}; received {samples}.")
    generator = np.random.default_rng(check_seed(seed))
    drawn = [generator.choice(np.flatnonzero(labels == label), samples, replace=False) for label in classes]
    order = generator.permutation(np.concatenate(drawn))
    return images[order], labels[order]


def _slices(data: Batch, batch_size: int | None) -> Iterator[Batch]:
    parts = keras.tree.flatten(data)
    if not all(getattr(part, "shape", ()) for part in parts):
        raise ValueError(f"`data` must hold arrays; received {', '.join(type(part).__name__ for part in parts)}.")
    lengths = {len(part) for part in parts}
    if len(lengths) != 1:
        raise ValueError(f"`data` must hold arrays of one length; received {sorted(lengths)}.")
    (examples,) = lengths
    for start in range(0, examples, batch_size or max(1, examples)):
        end = start + (batch_size or examples)
        yield keras.tree.map_structure(lambda part: part[start:end], data)  # noqa: B023 - called at once


def _read(dataset: Any) -> Iterator[Batch]:
    import tensorflow as tf

    if int(dataset.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError("`data` must end; received a dataset that repeats for ever. `data.take(n)` gives n batches.")
    yield from dataset
