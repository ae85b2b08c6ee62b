"""Ghosts put between the layers of a graph, and taken out again."""

from collections.abc import Callable
from typing import Any

import keras
from keras.src.models.functional import Functional
from keras.src.ops.node import Node

from keras_sparseflow.layers.ghost import GhostActivation, GhostSkip, GhostSwish
from keras_sparseflow.layers.structure import input_tensors
from keras_sparseflow.twins.ghosts.ghost_graph import GhostedSequential, Rewiring, nodes_of, row_of
from keras_sparseflow.twins.ghosts.ghost_relus import is_relu
from keras_sparseflow.twins.ghosts.ghost_skips import skip_options

_NORMS = (keras.layers.BatchNormalization, keras.layers.LayerNormalization, keras.layers.GroupNormalization)


class Haunting(Rewiring):
    """Puts ghosts into a graph.

    Args:
        soft: makes the activations in place of ReLUs; None to leave these as they are.

    Attributes:
        skipped: ids of the layers that a skip is laid over.
        activated: ids of the layers that had a ReLU of their own, which they have lost.
    """

    def __init__(self, soft: Callable[..., GhostActivation] | None):
        self.skipped: set[int] = set()
        self.activated: set[int] = set()
        self._soft = soft
        self._activations: dict[int, GhostActivation] = {}
        self._names: dict[int, set[str]] = {}
        self._behind_norm: dict[int, tuple[Any, Any]] = {}

    def changes(self, operation: Any) -> bool:
        return id(operation) in self.skipped | self.activated or (self._soft is not None and is_relu(operation))

    def call(self, graph: Functional, node: Node, operation: Any, args: Any, kwargs: Any) -> Any:
        if self._soft is not None and is_relu(operation):
            return self._in_place_of(operation, node.outputs[0].dtype)(*args, **kwargs)
        outputs = operation(*args, **kwargs)
        if id(node) in self._behind_norm:
            layer, inputs = self._behind_norm[id(node)]
            outputs = self._skip(graph, layer)([outputs, inputs])
        if id(operation) in self.skipped:
            norm = None if id(operation) in self.activated else _norm_behind(graph, node)
            if norm is None:
                outputs = self._skip(graph, operation)([outputs, args[0]])
            else:
                self._behind_norm[id(norm)] = operation, args[0]
        if id(operation) in self.activated:
            outputs = self._behind(graph, operation)(outputs)
        return outputs

    def finish(self, old: Any, outputs: Any) -> Any:
        kind = GhostedSequential if isinstance(old, keras.Sequential) else type(old)
        return kind(input_tensors(old), outputs, name=old.name)

    def _in_place_of(self, operation: Any, dtype: str) -> GhostActivation:
        """Returns the activation that takes the place of a ReLU, one for all its calls."""
        assert self._soft is not None
        if id(operation) not in self._activations:
            policy = getattr(operation, "dtype_policy", dtype)  # operations compute in their inputs' type
            self._activations[id(operation)] = self._soft(
                replaces=_serialized(operation), name=operation.name, dtype=policy
            )
        return self._activations[id(operation)]

    def _behind(self, graph: Functional, layer: Any) -> GhostActivation:
        """Returns the activation that a layer had itself; a ReLU for ever where only skips are asked for."""
        if id(layer) not in self._activations:
            options = {"replaces": layer.name, "dtype": layer.dtype_policy}
            options["name"] = self._name(graph, f"{layer.name}_activation")
            relu = GhostSwish(float("inf"), **options) if self._soft is None else self._soft(**options)
            self._activations[id(layer)] = relu
        return self._activations[id(layer)]

    def _skip(self, graph: Functional, layer: Any) -> GhostSkip:
        return GhostSkip(name=self._name(graph, f"{layer.name}_skip"), dtype=layer.dtype_policy, **skip_options(layer))

    def _name(self, graph: Functional, name: str) -> str:
        """Returns a name that nothing in the graph has, numbered if need be."""
        taken = self._names.setdefault(id(graph), {operation.name for operation in graph.operations})
        names = [name, *(f"{name}_{number}" for number in range(1, len(taken) + 1))]
        free = next(each for each in names if each not in taken)
        taken.add(free)
        return free


class Exorcism(Rewiring):
    """Takes the ghosts out of a graph, and puts back what they replaced."""

    def __init__(self) -> None:
        self._originals: dict[int, Any] = {}

    def changes(self, operation: Any) -> bool:
        return isinstance(operation, (GhostActivation, GhostSkip, GhostedSequential))

    def call(self, graph: Functional, node: Node, operation: Any, args: Any, kwargs: Any) -> Any:
        if isinstance(operation, GhostSkip):
            return args[0][0]
        if not isinstance(operation, GhostActivation):
            return operation(*args, **kwargs)
        if isinstance(operation.replaces, str):
            return args[0]
        if id(operation) not in self._originals:
            self._originals[id(operation)] = _original(operation)
        return self._originals[id(operation)](*args, **kwargs)

    def finish(self, old: Any, outputs: Any) -> Any:
        if isinstance(old, (GhostedSequential, keras.Sequential)):
            return row_of(input_tensors(old), outputs, old.name)
        return type(old)(input_tensors(old), outputs, name=old.name)


def _original(ghost: GhostActivation) -> Any:
    if ghost.replaces is None:
        return keras.layers.Activation("relu", name=ghost.name, dtype=ghost.dtype_policy)
    return keras.saving.deserialize_keras_object(ghost.replaces)


def _serialized(operation: Any) -> dict[str, Any]:
    """Returns an operation as `deserialize_keras_object` takes it, without the shapes that it was built for."""
    config = keras.saving.serialize_keras_object(operation)
    return {name: value for name, value in config.items() if name != "build_config"}


def _norm_behind(graph: Functional, node: Node) -> Node | None:
    """Returns the call of a normalisation that alone takes the outputs of a call; None if there is none."""
    tensor = node.outputs[0]
    takers = [other for other in nodes_of(graph) if any(taken is tensor for taken in other.input_tensors)]
    if len(takers) != 1 or any(tensor is output for output in graph.outputs):
        return None
    return takers[0] if isinstance(takers[0].operation, _NORMS) else None
