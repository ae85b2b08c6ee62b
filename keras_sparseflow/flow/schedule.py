"""The epochs in which gradient flow is measured."""

import operator
from collections.abc import Iterable
from typing import Any

from keras_sparseflow.checks import check_number


def measured_epochs(epochs: int, count: int = 11) -> list[int]:
    """Returns the measured epochs, counted from 0: `count` of them, evenly spread from the first to the last.

    They are 0 and k * epochs / (count - 1) - 1 for k = 1 .. count - 1, rounded. If training has fewer than
    `count` epochs, all are measured.

    Args:
        epochs: number of training epochs, at least 1.
        count: number of measured epochs; 0 for none, 1 for only the last.

    Example:
        >>> measured_epochs(1000)
        [0, 99, 199, 299, 399, 499, 599, 699, 799, 899, 999]
        >>> measured_epochs(3)
        [0, 1, 2]

    References:
        Tessera et al. 2021, section 3.1; the epochs 0, 99, ..., 999 stand in its first version.
    """
    check_number("epochs", epochs, whole=True, minimum=1)
    check_number("count", count, whole=True, minimum=0)
    if count >= epochs:
        return list(range(epochs))
    if count <= 1:
        return [epochs - 1] * count
    return sorted({0, *(round(k * epochs / (count - 1)) - 1 for k in range(1, count))})


def check_epochs(epochs: Iterable[Any]) -> list[int]:
    """Returns epochs as integers.

    Args:
        epochs: counted from 0.

    Raises:
        ValueError: the epochs are not a sequence of integers of at least 0.
    """
    wrong = ValueError(f"`epochs` must be a sequence of integers, at least 0; received {epochs!r}.")
    if isinstance(epochs, str) or not isinstance(epochs, Iterable):
        raise wrong
    try:
        found = [operator.index(epoch) for epoch in epochs]
    except TypeError:
        raise wrong from None
    if min(found, default=0) < 0:
        raise wrong
    return found
