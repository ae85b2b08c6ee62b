"""Selection: the mask of the highest scores, with an exact count whatever the ties."""

import numpy as np


def top_mask(scores: np.ndarray, active: int) -> np.ndarray:
    """Returns the boolean mask of the `active` highest scores; among equal ones the first come first.

    Args:
        scores: array of the kernel's shape, without NaN.
        active: how many entries are True, in [0, size].

    Raises:
        ValueError: `active` is out of its range, or a score is NaN.

    Example:
        >>> top_mask(np.array([[0.5, 2.0], [0.5, 0.5]]), 2)
        array([[ True,  True],
               [False, False]])
    """
    flat = np.asarray(scores).reshape(-1)
    if not 0 <= active <= flat.size:
        raise ValueError(f"`active` must be in [0, {flat.size}]; received {active}.")
    if np.isnan(flat).any():
        raise ValueError(f"`scores` must not be NaN; received {int(np.isnan(flat).sum())} NaN of {flat.size}.")
    if active in (0, flat.size):
        return np.full(np.shape(scores), active > 0)
    threshold = np.partition(flat, flat.size - active)[flat.size - active]
    mask = flat > threshold
    mask[np.flatnonzero(flat == threshold)[: active - np.count_nonzero(mask)]] = True
    return mask.reshape(np.shape(scores))
