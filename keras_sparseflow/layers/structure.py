"""The layers, kernels and variables of a model by path: the same in a model and in its twin.

A path is the names of the layers on the way, `block/attention/query`; where a layer has several
kernels, it ends in the kernel's name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras.src.models.functional import Functional

from keras_sparseflow.layers.masked import MaskedKernel

Chain = tuple[keras.layers.Layer, ...]


@dataclass(frozen=True)
class Kernel:
    """One kernel of a model.

    Args:
        path: of its layer; where that has several kernels, followed by the kernel's name.
        chain: the layers on the way, from the outermost below the model to the one that owns the kernel.
        variable: the stored kernel.
        mask: its boolean mask variable, or None when the layer is a stock one.
    """

    path: str
    chain: Chain
    variable: keras.Variable
    mask: keras.Variable | None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.variable.shape)

    @property
    def layer(self) -> keras.layers.Layer:
        """The layer that owns the kernel."""
        return self.chain[-1]


def is_rebuildable(model: keras.layers.Layer) -> bool:
    """Returns whether a layer is a model whose graph of layers Keras knows: functional or sequential."""
    return isinstance(model, (Functional, keras.Sequential))


def walk(model: keras.layers.Layer) -> Iterator[tuple[str, Chain]]:
    """Yields the path and the chain of each layer within a model, outer ones first; a shared layer once."""
    seen: set[int] = set()

    def within(layer: keras.layers.Layer, path: str, chain: Chain) -> Iterator[tuple[str, Chain]]:
        names: list[str] = []
        for inner in sublayers(layer):
            names.append(inner.name)
            if id(inner) in seen:
                continue
            seen.add(id(inner))
            inner_path = path + _numbered(inner.name, names)
            yield inner_path, (*chain, inner)
            yield from within(inner, inner_path + "/", (*chain, inner))

    yield from within(model, "", ())


def sublayers(layer: keras.layers.Layer) -> Sequence[keras.layers.Layer]:
    """Returns the layers directly within a layer or model."""
    if isinstance(layer, keras.Sequential):
        return layer.layers
    return layer._flatten_layers(include_self=False, recursive=False)


def kernels_of(model: keras.layers.Layer) -> list[Kernel]:
    """Returns every kernel in a built model, masked or not, in the order of its layers."""
    found = []
    for path, chain in walk(model):
        layer = chain[-1]
        if isinstance(layer, MaskedKernel):
            if layer.built:
                found.append(Kernel(path, chain, layer.stored_kernel, layer.mask))
            continue
        own = [variable for variable in own_variables(layer) if variable.name.endswith("kernel")]
        single = [variable.name for variable in own] == ["kernel"]
        found += [Kernel(path if single else f"{path}/{variable.name}", chain, variable, None) for variable in own]
    return found


def masked_kernels_of(model: keras.layers.Layer) -> list[Kernel]:
    """Returns every kernel in a built model that has a mask, in the order of its layers."""
    return [kernel for kernel in kernels_of(model) if kernel.mask is not None]


def input_tensors(model: keras.layers.Layer) -> Any:
    """Returns the symbolic inputs of a model in the structure that it is called with; None if it has none."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0] if model.inputs else None
    return model.input if is_rebuildable(model) else None


def own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Returns the variables that a layer itself owns, states of its random generators included; no masks."""
    variables = [*layer._trainable_variables, *layer._non_trainable_variables]
    variables += [generator.state for generator in layer._seed_generators]
    mask = getattr(layer, "mask", None) if isinstance(layer, MaskedKernel) else None
    return [variable for variable in variables if variable is not mask]


def variables_by_place(layer: keras.layers.Layer, place: str = "") -> Iterator[tuple[str, keras.Variable]]:
    """Yields the variables of a layer and of all within, masks excepted, with a name that a reloaded model has too.

    Keras names layers within layers anew in every process, so there the place counts; in models the
    name does. A variable of a layer that stands in several models has several places.
    """
    names: list[str] = []
    for variable in own_variables(layer):
        names.append(variable.name)
        yield place + _numbered(variable.name, names), variable
    for index, inner in enumerate(sublayers(layer)):
        yield from variables_by_place(inner, f"{place}{inner.name if is_rebuildable(layer) else index}/")


def _numbered(name: str, names: Sequence[str]) -> str:
    """Returns a name, followed by its number where it is not the first of that name."""
    same = names.count(name)
    return name if same == 1 else f"{name}#{same}"
