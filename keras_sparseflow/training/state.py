"""The state that training resumes from: variables of the network and its optimizer, by stable names."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers.mask.slots import slots_of
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel


def network_state(model: keras.Model) -> dict[str, Any]:
    """Returns the variables of a compiled model and of its optimizer, except the learning rate, by name.

    Those of sparse layers read, and are assigned, as those of masked ones.
    """
    named = {**_unique(_paths(model.variables), model.variables), **optimizer_state(model.optimizer)}
    return _as_masked(model, named)


@dataclass(frozen=True)
class _WholeKernel:
    """The mask of a sparse layer, its values or a slot of these, read and assigned as those of the masked layer.

    Args:
        values: the layer's.
        stored: the variable; that of the places stands for the mask.
    """

    values: Any
    stored: Any

    @property
    def shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self.values.mask.shape
        return shape

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        whole = np.array(self.values.mask) if self.stored.dtype == "int32" else self.values.dense(self.stored)
        return whole if dtype is None else whole.astype(dtype)

    def assign(self, whole: np.ndarray) -> None:
        is_mask = self.stored.dtype == "int32"
        self.stored.assign(np.flatnonzero(whole) if is_mask else self.values.of_dense(whole))


def _as_masked(model: keras.Model, named: Mapping[str, keras.Variable]) -> dict[str, Any]:
    """Returns named variables with those of sparse layers as of masked ones, so that a state fits either execution.

    Masks come first: other variables are assigned at their places.
    """
    whole, masks = {}, {}
    for layer in model._flatten_layers():
        if isinstance(layer, SparseKernel):
            for variable in (layer.values, *slots_of(model.optimizer, layer.values)):
                whole[id(variable)] = _WholeKernel(layer.values, variable)
            masks[id(layer.indices)] = _WholeKernel(layer.values, layer.indices)
    first = {f"{name.removesuffix('indices')}mask": masks[id(v)] for name, v in named.items() if id(v) in masks}
    return first | {name: whole.get(id(v), v) for name, v in named.items() if id(v) not in masks}


def optimizer_state(optimizer: keras.optimizers.Optimizer) -> dict[str, keras.Variable]:
    """Returns an optimizer's slots and counters as `optimizer/<weight>_<slot>`, `optimizer/iteration`, ..."""
    variables = [v for v in optimizer.variables if not v.path.endswith("learning_rate")]
    return _unique([f"optimizer/{v.path.rpartition('/')[2]}" for v in variables], variables)


def check_state(state: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], where: object) -> None:
    """Raises ValueError unless a stored state has exactly these names and shapes.

    Args:
        state: the stored arrays, by name.
        shapes: the expected shapes, by name.
        where: place of the checkpoint, for the message.
    """
    found = {name: array.shape for name, array in state.items()}
    if found == dict(shapes):
        return
    odd = next(name for name in {**shapes, **found} if found.get(name) != shapes.get(name))
    raise ValueError(
        f"The checkpoint in {where} is of another network: expected {odd!r} to have the shape {shapes.get(odd)}; "
        f"received {found.get(odd)} (None: no such variable). Remove that folder."
    )


def restore_state(variables: Mapping[str, Any], state: Mapping[str, np.ndarray], where: object) -> None:
    """Assigns a stored state to the variables that `network_state` returned.

    Raises:
        ValueError: the state is of another network; nothing is assigned then.
    """
    check_state(state, {name: tuple(variable.shape) for name, variable in variables.items()}, where)
    for name, variable in variables.items():
        variable.assign(state[name])


_GENERATOR = re.compile(r"seed_generator(_\d+)?(?=/seed_generator_state$)")


def _paths(variables: Sequence[keras.Variable]) -> list[str]:
    """Returns the paths of a model's variables, seed generators numbered by their order in the model.

    Keras numbers them by how many a process has made before, and a network that is resumed may be built by fewer.
    """
    paths, generators = [], itertools.count()
    for path in (variable.path for variable in variables):
        number = next(generators) if _GENERATOR.search(path) else 0
        paths.append(_GENERATOR.sub(f"seed_generator_{number}" if number else "seed_generator", path))
    return paths


def _unique(names: Sequence[str], variables: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
    """Returns variables by name, numbering those optimizer variables to which Keras gives one name."""
    named: dict[str, keras.Variable] = {}
    for name, variable in zip(names, variables, strict=True):
        same = sum(other.partition("#")[0] == name for other in named)
        named[f"{name}#{same}" if same else name] = variable
    return named
