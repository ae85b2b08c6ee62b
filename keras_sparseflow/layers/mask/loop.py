"""Kernels that are read once, before a loop over time, and not in each of its steps."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

from keras import ops

_kernels: ContextVar[Mapping[int, Any]] = ContextVar("kernels", default=MappingProxyType({}))
"""The effective kernels that were read before the loop that runs now, by the `id` of their layers."""


@contextlib.contextmanager
def kernels_read_once(layers: Iterable[Any]) -> Iterator[None]:
    """Within it, these masked layers compute with the effective kernels that they had when it began.

    Custom gradients within a TensorFlow loop must not capture masks or switches. Reading once is cheaper, too.
    """
    kernels = {id(layer): ops.copy(layer.kernel) for layer in layers}
    token = _kernels.set({**_kernels.get(), **kernels})
    try:
        yield
    finally:
        _kernels.reset(token)


def kernel_in_loop(layer: Any) -> Any:
    """Returns the effective kernel of a layer that was read before the loop that runs now; None if none was."""
    return _kernels.get().get(id(layer))
