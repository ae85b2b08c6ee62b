"""The places of a matrix's active weights, in the orders that products with the matrix need."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Places:
    """The places of the active weights of a matrix of shape `(inputs, units)`, whose values stand in their order.

    Args:
        indices: int32, ascending: for each active weight `input * units + unit`.
        inputs: rows of the matrix.
        units: columns of the matrix.

    Example:
        >>> places = Places(np.int32([1, 2, 5]), inputs=2, units=3)
        >>> places.columns.tolist(), places.starts.tolist(), places.rows.tolist(), places.order.tolist()
        ([1, 2, 2], [0, 2, 3], [0, 0, 1], [0, 1, 2])
    """

    indices: np.ndarray
    inputs: int
    units: int

    @cached_property
    def columns(self) -> np.ndarray:
        """The unit of each weight."""
        return self.indices % np.int32(self.units)

    @property
    def pairs(self) -> np.ndarray:
        """The input and the unit of each weight, int64 of shape `(active, 2)`."""
        return np.stack(np.divmod(self.indices.astype(np.int64), self.units), axis=1)

    @cached_property
    def starts(self) -> np.ndarray:
        """The index of the first weight of each input, then the number of weights; shape `(inputs + 1,)`."""
        return _starts(self.indices // np.int32(self.units), self.inputs)

    @cached_property
    def order(self) -> np.ndarray:
        """The weights in the order of their units."""
        return np.argsort(self.columns, kind="stable").astype(np.int32)

    @cached_property
    def rows(self) -> np.ndarray:
        """The input of each weight, in the order of their units."""
        return (self.indices // np.int32(self.units))[self.order]

    @property
    def unit_pairs(self) -> np.ndarray:
        """The unit and the input of each weight, in the order of their units, int64 of shape `(active, 2)`."""
        return np.stack([self.columns[self.order], self.rows], axis=1).astype(np.int64)

    @cached_property
    def unit_starts(self) -> np.ndarray:
        """The index in `order` of the first weight of each unit, then their number; shape `(units + 1,)`."""
        return _starts(self.columns[self.order], self.units)


def _starts(ascending: np.ndarray, count: int) -> np.ndarray:
    return np.searchsorted(ascending, np.arange(count + 1)).astype(np.int32)


def indices_of(mask: np.ndarray) -> np.ndarray:
    """Returns the places of the True entries of a mask, flat and ascending.

    Raises:
        ValueError: the mask is too large for indices of 32 bits.
    """
    if mask.size > np.iinfo(np.int32).max:
        raise ValueError(f"A sparse kernel must have fewer than 2**31 entries; received shape {mask.shape}.")
    return np.flatnonzero(mask).astype(np.int32)


def check_indices(indices: Any, shape: tuple[int, ...], active: int) -> np.ndarray:
    """Returns the places of active weights as int32.

    Raises:
        ValueError: they are not as many, do not ascend, or are not within a kernel of this shape.
    """
    array = np.asarray(indices)
    size = int(np.prod(shape))
    ascending = bool((np.diff(array.astype(np.int64)) > 0).all())
    if array.shape != (active,) or (active and not (ascending and array[0] >= 0 and array[-1] < size)):
        raise ValueError(
            f"`indices` must be {active} ascending places below {size}; received {array.shape[0] if array.ndim else 0} "
            f"places, of which the first are {array.ravel()[:3].tolist()}."
        )
    return array.astype(np.int32)


def moved(values: np.ndarray, before: np.ndarray, after: np.ndarray, new: float = 0.0) -> np.ndarray:
    """Returns the values of weights at other places: a weight that stays keeps its value.

    Args:
        values: one for each of the places before.
        before: ascending places.
        after: ascending places.
        new: value of the weights at new places.

    Example:
        >>> moved(np.array([1.0, 2.0, 3.0]), np.array([0, 4, 5]), np.array([0, 2, 5])).tolist()
        [1.0, 0.0, 3.0]
    """
    if not before.size:
        return np.full(after.shape, new, values.dtype)
    at = np.minimum(np.searchsorted(before, after), before.size - 1)
    return np.where(before[at] == after, values[at], np.asarray(new, values.dtype))
