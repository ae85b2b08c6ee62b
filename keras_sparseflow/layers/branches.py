"""The choice between two functions of tensors by a scalar condition."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from keras import ops

_THREAD = threading.local()


def either(condition: Any, function: Callable[..., Any], otherwise: Callable[..., Any], *tensors: Any) -> Any:
    """Returns one function of tensors if a scalar condition holds, else another; only that one has a gradient.

    Only the chosen function is computed; within `both_branches` both are.
    """
    if not getattr(_THREAD, "both", False):
        return ops.cond(condition, lambda: function(*tensors), lambda: otherwise(*tensors))
    # `function` must be finite even if it is not chosen: its gradient of zero times NaN would be NaN.
    finite = (ops.where(condition, tensor, 0) for tensor in tensors)
    return ops.where(condition, function(*finite), otherwise(*tensors))


@contextlib.contextmanager
def both_branches() -> Iterator[None]:
    """Context in which `either` computes both functions; open it where a graph function is traced.

    TensorFlow needs both for second derivatives. It may compute a sum of three or more tensors in a temporary
    variable, which a branch that is not taken never frees.
    """
    outside = getattr(_THREAD, "both", False)
    _THREAD.both = True
    try:
        yield
    finally:
        _THREAD.both = outside
