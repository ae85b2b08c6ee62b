"""One of two functions, as a scalar condition says."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from keras import ops

_THREAD = threading.local()


def either(condition: Any, function: Callable[..., Any], otherwise: Callable[..., Any], *tensors: Any) -> Any:
    """Returns a function of tensors where a scalar condition holds, otherwise another; the other one has no gradient.

    One of them is computed; within `both_branches` both are.
    """
    if not getattr(_THREAD, "both", False):
        return ops.cond(condition, lambda: function(*tensors), lambda: otherwise(*tensors))
    # The function, though not chosen, must be finite: a gradient of zero times NaN would be NaN.
    finite = (ops.where(condition, tensor, 0) for tensor in tensors)
    return ops.where(condition, function(*finite), otherwise(*tensors))


@contextlib.contextmanager
def both_branches() -> Iterator[None]:
    """Within it `either` computes both functions. It must hold where a graph function is traced.

    TensorFlow needs that for a second derivative: there a sum of three or more tensors within a branch may be given a
    temporary variable, which a branch that is not taken never frees.
    """
    outside = getattr(_THREAD, "both", False)
    _THREAD.both = True
    try:
        yield
    finally:
        _THREAD.both = outside
