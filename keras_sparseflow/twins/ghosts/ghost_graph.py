"""The graph of a model whose layers are called anew, with others between them or in their place."""

import abc
from typing import Any

import keras
from keras.src.models.functional import Functional
from keras.src.ops.node import Node

from keras_sparseflow.layers.structure import walk


@keras.saving.register_keras_serializable("keras_sparseflow")
class GhostedSequential(Functional):
    """A sequential model with ghosts, whose skips a `keras.Sequential` could not hold."""


class Rewiring(abc.ABC):
    """The changes that are to be made to the calls in a graph."""

    @abc.abstractmethod
    def changes(self, operation: Any) -> bool:
        """Returns whether an operation's calls change; a model in which none does stays as it is."""

    @abc.abstractmethod
    def call(self, graph: Functional, node: Node, operation: Any, args: Any, kwargs: Any) -> Any:
        """Makes one call anew, of the node's operation or of what that has become, and returns its outputs."""

    @abc.abstractmethod
    def finish(self, old: Any, outputs: Any) -> Any:
        """Returns the model of an old one's inputs and these outputs."""


def graph_of(model: Any) -> Functional | None:
    """Returns the graph of a functional or sequential model; None for anything else."""
    if isinstance(model, keras.Sequential):
        return model._functional
    return model if isinstance(model, Functional) else None


def nodes_of(graph: Functional) -> list[Node]:
    """Returns the calls of a graph's operations, each after those that it depends on, inputs left out."""
    depths = sorted(graph._nodes_by_depth, reverse=True)
    return [node for depth in depths for node in graph._nodes_by_depth[depth] if not node.is_input]


def rewire(model: keras.Model, rewiring: Rewiring) -> keras.Model:
    """Returns a model of the same layers as this one, which must not be used any more, called in another way.

    Args:
        model: functional or sequential, built.
        rewiring: says in which way, in nested models too.
    """
    models: dict[int, Any] = {}

    def changed(operation: Any) -> bool:
        graph = graph_of(operation)
        return rewiring.changes(operation) or (graph is not None and any(map(changed, graph.operations)))

    def rewired(old: Any) -> Any:
        graph = graph_of(old)
        if graph is None or not changed(old):
            return old
        if id(old) not in models:
            tensors = {id(tensor): tensor for tensor in graph.inputs}
            for node in nodes_of(graph):
                args, kwargs = node.arguments.fill_in(tensors)
                outputs = rewiring.call(graph, node, rewired(node.operation), args, kwargs)
                tensors.update(zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True))
            outputs = [tensors[id(tensor)] for tensor in graph.outputs]
            models[id(old)] = rewiring.finish(old, keras.tree.pack_sequence_as(graph._outputs_struct, outputs))
        return models[id(old)]

    flags = [(chain[-1], chain[-1].trainable) for _, chain in walk(model)]
    _forget_calls(model)
    new = rewired(model)
    _set_trainable(new, model.trainable, {id(models.get(id(layer), layer)): flag for layer, flag in flags})
    return new


def row_of(inputs: Any, outputs: Any, name: str) -> keras.Sequential:
    """Returns the sequential model of the layers that lead from a keras.Input to a tensor, each to the next."""
    graph = Functional(inputs, outputs)
    layers = [node.operation for node in nodes_of(graph)]
    for layer in layers:
        layer._inbound_nodes.clear()
        layer._outbound_nodes.clear()
    return keras.Sequential([inputs, *layers], name=name)


def _forget_calls(model: Any) -> None:
    """Lets the operations of a model, and of models in it, be called as if for the first time; inputs stay."""
    graph = graph_of(model)
    if graph is None:
        return
    for operation in graph.operations:
        operation._outbound_nodes.clear()
        if not isinstance(operation, keras.layers.InputLayer):
            operation._inbound_nodes.clear()
        _forget_calls(operation)


def _set_trainable(model: keras.Model, own: bool, flags: dict[int, bool]) -> None:
    """Sets which layers are trainable, outer ones first, as models hand their flag down."""
    model.trainable = own
    for _, chain in walk(model):
        if id(chain[-1]) in flags:
            chain[-1].trainable = flags[id(chain[-1])]
