"""Masks of the highest scores, with exact counts even where scores are equal."""

from collections.abc import Sequence
from typing import Any

import numpy as np


def top_mask(scores: np.ndarray, active: int) -> np.ndarray:
    """Returns the boolean mask of the `active` highest scores; among equal scores the first are active.

    Args:
        scores: array of the kernel's shape, without NaN.
        active: number of True entries, in [0, size].

    Raises:
        ValueError: `active` is out of range, or a score is NaN.

    Example:
        >>> top_mask(np.array([[0.5, 2.0], [0.5, 0.5]]), 2)
        array([[ True,  True],
               [False, False]])
    """
    return top_masks([np.asarray(scores)], active)[0]


def top_masks(scores: Sequence[np.ndarray], active: int) -> list[np.ndarray]:
    """Returns the boolean masks of the `active` highest scores of several arrays together, under one threshold.

    Among equal scores the first are active, in the order of the arrays. Memory holds scores, masks and one
    copy of the scores.

    Args:
        scores: arrays of any shapes, without NaN.
        active: number of True entries in all masks together, in [0, number of scores].

    Raises:
        ValueError: `active` is out of range, or a score is NaN.

    Example:
        >>> [mask.tolist() for mask in top_masks([np.array([1.0, 4.0]), np.array([[4.0], [2.0]])], 2)]
        [[False, True], [[True], [False]]]
    """
    size = sum(array.size for array in scores)
    if not 0 <= active <= size:
        raise ValueError(f"`active` must be in [0, {size}]; received {active}.")
    nan = sum(int(np.count_nonzero(np.isnan(array))) for array in scores)
    if nan:
        raise ValueError(f"`scores` must not be NaN; received {nan} NaN of {size}.")
    if active in (0, size):
        return [np.full(array.shape, active > 0) for array in scores]
    # The threshold is the score of rank `active`: higher scores are active, and equal ones fill the count in order. The
    # comparison `>=` alone would activate every tie, which can be most weights where scores are zero or minus infinity.
    # A partition finds the threshold in linear time, without a sort of all weights.
    threshold = _kth_highest(scores, active)
    masks = [array > threshold for array in scores]
    left = active - sum(int(np.count_nonzero(mask)) for mask in masks)
    for array, mask in zip(scores, masks, strict=True):
        if not left:
            break
        equal = np.flatnonzero(array == threshold)[:left]
        mask.flat[equal] = True
        left -= len(equal)
    return masks


def _kth_highest(scores: Sequence[np.ndarray], k: int) -> Any:
    """Returns the k-th highest of all scores; only a copy of those above minus infinity is partitioned."""
    buffer = np.empty(sum(array.size for array in scores), np.result_type(*scores))
    filled = 0
    for array in scores:
        ranked = array[array > -np.inf]
        buffer[filled : filled + ranked.size] = ranked
        filled += ranked.size
    if k > filled:
        return -np.inf
    buffer = buffer[:filled]
    buffer.partition(filled - k)
    return buffer[filled - k]
