"""Masks as arrays, and what the forward and the backward pass read through them."""

import base64
import contextlib
import zlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
from keras import ops

_reads_stored_kernel: ContextVar[bool] = ContextVar("reads_stored_kernel", default=False)


@contextlib.contextmanager
def dense_gradients() -> Iterator[None]:
    """Within it, masked layers give the gradient of their effective kernel, inactive entries included.

    Outputs are the same as without. The raw gradient norm of Tessera et al. (2021, eq. 5) and the
    growth score of RigL need this gradient; whoever applies it to the weights must mask it first,
    as `SparseModel.train_step` does.

    Example:
        >>> import keras_sparseflow as ks
        >>> with ks.dense_gradients():
        ...     pass  # forward pass under a gradient tape
    """
    token = _reads_stored_kernel.set(True)
    try:
        yield
    finally:
        _reads_stored_kernel.reset(token)


def effective_kernel(kernel: Any, mask: Any) -> Any:
    """Returns the kernel whose inactive entries are zero and stay so: their gradient is zero.

    The stored kernel is exactly zero wherever the mask is False (layers see to that), so its values
    are already those of `where(mask, kernel, 0)`; only the gradient has to be masked. That spares
    the forward pass a copy of every kernel: measured on two cores, a step of a masked MLP costs 1.01 to 1.04
    times a dense one this way and 1.15 times with `where` in the forward pass.

    A custom gradient acts in reverse-mode differentiation, of any order. Forward-mode accumulation and
    a gradient tape around `tf.vectorized_map` do not see it: mask such gradients with `apply_mask`.

    Args:
        kernel: the stored kernel, a variable or a tensor that is zero where the mask is False.
        mask: boolean, of the kernel's shape.

    Returns:
        A tensor of the kernel's shape; within `dense_gradients()` the kernel itself.
    """
    if _reads_stored_kernel.get():
        return kernel
    mask = ops.convert_to_tensor(mask)

    @ops.custom_gradient
    def mask_gradient(values: Any) -> Any:
        def gradient(*upstream_args: Any, upstream: Any = None) -> Any:
            if upstream is None:
                (upstream,) = upstream_args
            return apply_mask(upstream, mask)

        return ops.copy(values), gradient

    return mask_gradient(ops.copy(kernel))  # reads the variable here: a custom gradient must not capture one


def apply_mask(values: Any, mask: Any) -> Any:
    """Returns `values` where the mask is True and zero elsewhere, also where a value is NaN or infinite."""
    return ops.where(mask, values, ops.zeros((), dtype=values.dtype))


def check_density(density: Any) -> float:
    """Returns the density as a float.

    Raises:
        ValueError: it is not a number in [0, 1].
    """
    if isinstance(density, bool) or not isinstance(density, (int, float, np.number)) or not 0 <= density <= 1:
        raise ValueError(f"`density` must be in [0, 1], a fraction and not a percentage; received {density!r}.")
    return float(density)


def check_mask(mask: Any, shape: Sequence[int]) -> np.ndarray:
    """Returns the mask as a boolean array.

    Raises:
        ValueError: it has another shape, or entries that are neither True / 1 nor False / 0.
    """
    array = np.asarray(mask)
    if array.shape != tuple(shape):
        raise ValueError(f"`mask` must have the kernel's shape {tuple(shape)}; received {array.shape}.")
    if array.dtype != bool:
        odd = array[(array != 0) & (array != 1)]
        if odd.size:
            raise ValueError(f"`mask` must hold only True and False, or 1 and 0; received {odd.flat[0]!r} in it.")
    return array.astype(bool)


def active_count(density: float, size: int) -> int:
    """Returns how many of `size` entries a density makes active: round(density * size), exactly."""
    return round(check_density(density) * size)


def random_mask(shape: Sequence[int], active: int, seed: int | Sequence[int]) -> np.ndarray:
    """Returns a boolean mask with exactly `active` True entries, uniform over all such masks.

    Args:
        shape: the kernel's shape.
        active: how many entries are True, in [0, product of the shape].
        seed: an int or a sequence of ints; the mask depends on it, the shape and the count alone.

    Raises:
        ValueError: `active` is out of its range.

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
    """Returns a mask as JSON-ready text and shape, packed to at most a bit an entry; see `decode_mask`."""
    packed = zlib.compress(np.packbits(mask).tobytes(), level=6)
    return {"shape": list(mask.shape), "bits": base64.b64encode(packed).decode()}


def decode_mask(encoded: dict[str, Any]) -> np.ndarray:
    """Returns the boolean mask that `encode_mask` packed."""
    shape = tuple(encoded["shape"])
    packed = np.frombuffer(zlib.decompress(base64.b64decode(encoded["bits"])), dtype=np.uint8)
    return np.unpackbits(packed, count=int(np.prod(shape))).astype(bool).reshape(shape)
