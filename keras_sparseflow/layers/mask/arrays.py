"""Masks as arrays: functions that make, check, apply and encode them."""

import base64
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np


def apply_mask(values: Any, mask: Any) -> Any:
    """Returns `values` where the mask is True and zero elsewhere, even for NaN and infinite values."""
    from keras import ops  # imported here, because studies count weights without Keras before they train

    values = ops.convert_to_tensor(values)
    return ops.where(ops.convert_to_tensor(mask), values, ops.zeros((), dtype=values.dtype))


def check_density(density: Any) -> float:
    """Returns the density as a float.

    Raises:
        ValueError: the density is not a number in [0, 1].
    """
    if isinstance(density, bool) or not isinstance(density, (int, float, np.number)) or not 0 <= density <= 1:
        raise ValueError(f"`density` must be in [0, 1], a fraction and not a percentage; received {density!r}.")
    return float(density)


def check_mask(mask: Any, shape: Sequence[int]) -> np.ndarray:
    """Returns the mask as a boolean array.

    Raises:
        ValueError: the mask has another shape, or an entry other than True, False, 1 or 0.
    """
    array = np.asarray(mask)
    if array.shape != tuple(shape):
        raise ValueError(f"`mask` must have the kernel's shape {tuple(shape)}; received {array.shape}.")
    if array.dtype != bool:
        odd = array[(array != 0) & (array != 1)]
        if odd.size:
            raise ValueError(f"`mask` must hold only True and False, or 1 and 0; received {odd.flat[0]!r}.")
    return array.astype(bool)


def active_count(density: float, size: int) -> int:
    """Returns the exact number of active entries among `size` at a density: round(density * size)."""
    return round(check_density(density) * size)


def random_mask(shape: Sequence[int], active: int, seed: int | Sequence[int]) -> np.ndarray:
    """Returns a boolean mask with exactly `active` True entries, uniform over all such masks.

    Args:
        shape: the kernel's shape.
        active: number of True entries, in [0, product of the shape].
        seed: an int or a sequence of ints; the mask depends on seed, shape and count only.

    Raises:
        ValueError: `active` is out of range.

    Example:
        >>> int(random_mask((3, 4), active=5, seed=0).sum())
        5
    """
    size = int(np.prod(shape))
    if not 0 <= active <= size:
        raise ValueError(f"`active` must be in [0, {size}] for a kernel of shape {tuple(shape)}; received {active}.")
    mask = np.zeros(size, dtype=bool)
    mask[np.random.default_rng(seed).choice(size, active, replace=False, shuffle=False)] = True
    return mask.reshape(shape)


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """Returns the shape of a mask and its compressed bits, ready for JSON; `decode_mask` reads them."""
    packed = zlib.compress(np.packbits(mask).tobytes(), level=6)
    return {"shape": list(mask.shape), "bits": base64.b64encode(packed).decode()}


def decode_mask(encoded: dict[str, Any]) -> np.ndarray:
    """Returns the boolean mask that `encode_mask` packed."""
    shape = tuple(encoded["shape"])
    packed = np.frombuffer(zlib.decompress(base64.b64decode(encoded["bits"])), dtype=np.uint8)
    return np.unpackbits(packed, count=int(np.prod(shape))).astype(bool).reshape(shape)
