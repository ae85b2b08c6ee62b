"""TensorFlow's registry of custom gradients, whose entries would keep the graphs of all networks for ever."""

import contextlib
import inspect
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

_HELD = "keras_sparseflow_gradients"
"""The collection of a graph that holds the gradients of its operations."""


@contextlib.contextmanager
def gradients_end_with_graphs() -> Iterator[None]:
    """Context whose new entries in TensorFlow's registry of gradients go as soon as nobody uses their graphs.

    TensorFlow registers the gradient of each traced call of a custom gradient for ever, and with it the graph of the
    call. So a process that trains one network after the other would keep the graphs of all of them. Earlier entries
    stay, and so do new ones of graphs that are still used. Where the registry is not as in the versions of TensorFlow
    that are known here, all entries stay.

    Example:
        >>> with gradients_end_with_graphs():
        ...     tf.function(lambda x: tf.custom_gradient(lambda x: (x, lambda dy: dy))(x))(tf.ones(2)).shape
        TensorShape([2])
    """
    entries = _entries()
    known = set(entries)
    try:
        yield
    finally:
        for name in list(entries):
            if name not in known:
                _hold_by_graph(entries, name)


def _hold_by_graph(entries: dict[str, dict[str, Any]], name: str) -> None:
    """Lets the graph of an entry's operation hold the gradient, to which the registry keeps a weak reference.

    The gradient holds the graph, too, by the tensors that it was made with: a circle, which Python's garbage collector
    frees when nothing else holds it.
    """
    gradient = entries[name].get("type")
    graph = _graph_of(gradient)
    if gradient is None or graph is None:
        return
    graph.add_to_collection(_HELD, gradient)
    reference: Any = weakref.ref(gradient, lambda _: entries.pop(name, None))

    def looked_up(operation: Any, *gradients: Any) -> Any:
        return reference()(operation, *gradients)  # an operation whose gradient is taken has its graph

    entries[name] = {**entries[name], "type": looked_up}


def _entries() -> dict[str, dict[str, Any]]:
    """Returns the entries of the registry; none where TensorFlow keeps them elsewhere."""
    try:
        from tensorflow.python.framework import ops
    except ImportError:
        return {}
    entries = getattr(getattr(ops, "gradient_registry", None), "_registry", None)
    return entries if isinstance(entries, dict) else {}


def _graph_of(gradient: Callable[..., Any] | None) -> tf.Graph | None:
    """Returns the graph of the operation that `tf.custom_gradient` made a gradient for; None if it did not make it."""
    result = _held_by(_held_by(gradient).get("tape_grad_fn")).get("result")
    graphs = [tensor.graph for tensor in tf.nest.flatten(result) if tf.is_symbolic_tensor(tensor)]
    return graphs[0] if graphs else None


def _held_by(function: Any) -> dict[str, Any]:
    return dict(inspect.getclosurevars(function).nonlocals) if inspect.isfunction(function) else {}
