"""Pairs of batches that share half of their examples: one for a step, the other for the loss after it."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.checks import check_seed
from keras_sparseflow.masks.scores.examples import Batch


# The loss after a step on one batch says little when it is measured on that same batch: scales that fit it would win.
# So half of the second batch is new; the other half is kept, as in GradInit, which makes the losses before and after
# the step comparable. Examples are drawn without repeats, else the halves could overlap further.
def half_new_pairs(data: Any, batch_size: int, seed: int) -> Iterator[tuple[Batch, Batch]]:
    """Returns endless pairs of batches; the second keeps the first half of the first, and the rest is new.

    Args:
        data: arrays `(x, y)` or `(x, y, sample_weight)`, from which each pair is drawn anew, no example twice in a
            batch; or a `tf.data.Dataset` of at least two batches, of which each pair takes two.
        batch_size: at least 2, for arrays, which must hold one and a half batches.
        seed: int, at least 0, seed of the draws.

    Raises:
        ValueError: the data are of another kind or too few, or arrays differ in length.

    Example:
        >>> first, second = next(half_new_pairs((np.arange(6), np.arange(6)), batch_size=4, seed=0))
        >>> sorted({*first[0].tolist(), *second[0].tolist()}), (first[0][:2] == second[0][:2]).all()
        ([0, 1, 2, 3, 4, 5], np.True_)

    References:
        Zhu et al. 2021, GradInit: Learning to Initialize Neural Networks for Stable and Efficient Training.
    """
    if isinstance(data, tf.data.Dataset):
        return _pairs_of_dataset(data)
    if isinstance(data, tuple) and len(data) in (2, 3):
        return _pairs_of_arrays(keras.tree.map_structure(np.asarray, data), batch_size, check_seed(seed))
    raise ValueError(
        "`data` must be arrays (x, y) or (x, y, sample_weight), or a tf.data.Dataset of batches; received "
        f"{type(data).__name__}."
    )


def _pairs_of_arrays(data: Batch, batch_size: int, seed: int) -> Iterator[tuple[Batch, Batch]]:
    if not all(part.ndim for part in keras.tree.flatten(data)):
        raise ValueError(
            "`data` must hold arrays with a first axis of examples; received numbers or lists. Make arrays of lists."
        )
    lengths = {len(part) for part in keras.tree.flatten(data)}
    if len(lengths) != 1:
        raise ValueError(f"`data` must hold arrays of one length; received {sorted(lengths)}.")
    (examples,), kept = lengths, batch_size // 2
    drawn = batch_size + batch_size - kept
    if batch_size < 2 or drawn > examples:
        raise ValueError(
            "`batch_size` must be at least 2, and `data` hold one and a half batches; received batches of "
            f"{batch_size} and {examples} examples."
        )
    generator = np.random.default_rng(seed)

    def pairs() -> Iterator[tuple[Batch, Batch]]:
        while True:
            chosen = generator.choice(examples, drawn, replace=False)
            places = chosen[:batch_size], np.concatenate([chosen[:kept], chosen[batch_size:]])
            one, other = (keras.tree.map_structure(lambda part: part[rows], data) for rows in places)  # noqa: B023
            yield one, other

    return pairs()


def _pairs_of_dataset(dataset: tf.data.Dataset) -> Iterator[tuple[Batch, Batch]]:
    if 0 <= int(dataset.cardinality()) < 2:
        raise ValueError(
            "`data` must have at least two batches, as half of each trial batch is new; received a dataset of "
            f"{int(dataset.cardinality())}."
        )

    def half_new(old: Any, new: Any) -> Any:
        kept = len(old) // 2
        return tf.concat([old[:kept], new[-(len(old) - kept) :]], axis=0)

    def pairs() -> Iterator[tuple[Batch, Batch]]:
        batches = iter(dataset.repeat())
        while True:
            batch, other = next(batches), next(batches)
            yield batch, keras.tree.map_structure(half_new, batch, other)

    return pairs()
