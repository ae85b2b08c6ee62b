"""The layers, kernels and variables of a model, each with one name for the whole package: its path.

The path of a layer joins the names of the layers from below the model down to it: `block/attention/query`. A kernel has
the path of its layer; if the layer has several kernels, the kernel's own name follows. Any other variable has the path
of its layer and its own name: `block/norm/gamma`. Equal paths are numbered: `fc`, `fc#2`.

A model, its masked twin, and a copy that another process loads have the same paths. So recurrent cells, and parts that
hold one kernel of a layer, add no name: `lstm/recurrent_kernel`. Names that Keras chooses lose their number, `dense_7`
becomes `dense`, where a copy would get other numbers: within subclassed models, within layers, and in layers whose
config leaves the name out.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from keras.src.models.functional import Functional, functional_like_constructor
from keras.src.utils.naming import to_snake_case

from keras_sparseflow.layers.masked import MaskedKernel
from keras_sparseflow.layers.several_kernels import KernelPart
from keras_sparseflow.layers.sparse.sparse_kernel import SparseValues

Chain = tuple[keras.layers.Layer, ...]


@dataclass(frozen=True)
class Kernel:
    """One kernel or other variable of a model.

    Args:
        path: name of the variable, the same everywhere in this package.
        chain: the layers around the variable, from the outermost below the model to the one that owns the variable;
            only the model where it owns the variable itself.
        variable: the stored kernel; of a sparse layer, its active weights.
        mask: its boolean mask variable, or None when all weights are active.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="hidden")])
        >>> (kernel,) = kernels_of(model)
        >>> kernel.path, kernel.shape, kernel.mask
        ('hidden', (3, 2), None)
    """

    path: str
    chain: Chain
    variable: keras.Variable
    mask: keras.Variable | None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the kernel, of which a sparse layer's variable holds the active weights alone."""
        return tuple((self.variable if self.mask is None else self.mask).shape)

    @property
    def values(self) -> np.ndarray:
        """The kernel as an array of its shape, with zeros where weights are inactive."""
        variable: Any = self.variable
        return variable.dense() if isinstance(variable, SparseValues) else keras.ops.convert_to_numpy(variable)

    def assign(self, values: Any) -> None:
        """Assigns values of the kernel's shape; those of inactive weights are dropped."""
        variable: Any = self.variable
        variable.assign(variable.of_dense(values) if isinstance(variable, SparseValues) else values)

    @property
    def layer(self) -> keras.layers.Layer:
        """The layer that owns the variable."""
        return self.chain[-1]


def is_rebuildable(model: keras.layers.Layer) -> bool:
    """Returns whether a layer is a model whose graph of layers Keras knows: functional or sequential."""
    return isinstance(model, (Functional, keras.Sequential))


def holds_configs(model: keras.layers.Layer) -> bool:
    """Returns whether a layer is a model whose config holds those of its layers, which it does not make itself."""
    kind: Any = type(model)
    if isinstance(model, keras.Sequential):
        return kind.get_config is keras.Sequential.get_config
    if isinstance(model, Functional):
        return kind.get_config is Functional.get_config and functional_like_constructor(kind)
    return False


def walk(model: keras.layers.Layer) -> Iterator[tuple[str, Chain]]:
    """Yields the path and the chain of each layer within a model once, by its first path, outer layers first."""
    seen: set[int] = set()
    for path, chain in _places(model):
        if id(chain[-1]) not in seen:
            seen.add(id(chain[-1]))
            yield path, chain


def sublayers(layer: keras.layers.Layer) -> Sequence[keras.layers.Layer]:
    """Returns the layers directly within a layer or model."""
    if isinstance(layer, keras.Sequential):
        return layer.layers
    return layer._flatten_layers(include_self=False, recursive=False)


def kernels_of(model: keras.layers.Layer, also: Collection[int] = ()) -> list[Kernel]:
    """Returns every kernel in a built model, masked or not, in the order of its layers.

    Args:
        model: any built Keras model; a kernel that several layers own belongs to the innermost of them.
        also: `id`s of other variables that count as kernels.

    Example:
        >>> layers = [keras.layers.MultiHeadAttention(2, 4, name="att"), keras.layers.Dense(3, name="head")]
        >>> inputs = keras.Input((5, 8))
        >>> model = keras.Model(inputs, layers[1](layers[0](inputs, inputs)))
        >>> [kernel.path for kernel in kernels_of(model)]
        ['att/query', 'att/key', 'att/value', 'att/attention_output', 'head']
    """
    found = [kernel for kernel in variables_of(model) if _is_kernel(kernel) or id(kernel.variable) in also]
    of_layer = Counter(id(kernel.layer) for kernel in found)
    taken: set[str] = set()
    return [
        replace(
            kernel, path=_unique(_without_own_name(kernel) if of_layer[id(kernel.layer)] == 1 else kernel.path, taken)
        )
        for kernel in found
    ]


def masked_kernels_of(model: keras.layers.Layer) -> list[Kernel]:
    """Returns every kernel in a built model that has a mask, in the order of its layers."""
    return [kernel for kernel in kernels_of(model) if kernel.mask is not None]


def check_whole(kernels: Iterable[Kernel]) -> None:
    """Raises ValueError if a layer stores active weights alone, where each entry of a kernel is looked at."""
    for kernel in kernels:
        if isinstance(kernel.variable, SparseValues):
            raise ValueError(
                f"`model` must store whole kernels; received {kernel.path!r} of {type(kernel.layer).__name__}, which "
                "stores active weights alone. Give what `to_masked(model)` returns."
            )


def dense_matrices_of(model: keras.layers.Layer) -> list[Kernel]:
    """Returns every trainable matrix in a built model that has no mask, kernel or not.

    A matrix is longer than 1 along two axes. Biases are none: a GRU's has two rows, an attention's one for each head.
    """
    return [
        weight
        for weight in variables_of(model)
        if weight.mask is None
        and (_is_kernel(weight) or sum(length > 1 for length in weight.shape) > 1)
        and "bias" not in weight.variable.name
        and any(weight.variable is own for own in weight.layer._trainable_variables)
        and not isinstance(weight.layer, MaskedKernel)
    ]


def input_tensors(model: keras.layers.Layer) -> Any:
    """Returns a model's symbolic inputs in the structure of its calls; None if the model has none."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0] if model.inputs else None
    return model.input if is_rebuildable(model) else None


def own_variables(layer: keras.layers.Layer) -> list[keras.Variable]:
    """Returns the variables that a layer itself owns, with states of random generators and without masks."""
    variables = [*layer._trainable_variables, *layer._non_trainable_variables]
    variables += [generator.state for generator in layer._seed_generators]
    masks = {id(mask) for mask in layer.mask_variables} if isinstance(layer, MaskedKernel) else ()
    return [variable for variable in variables if id(variable) not in masks]


def variables_of(model: keras.layers.Layer) -> list[Kernel]:
    """Returns every variable in a built model once, without masks, in the order of the layers.

    A variable that nested layers own, such as the kernel that `SpectralNormalization` takes from its inner layer,
    belongs to the innermost; one that layers side by side own belongs to the first.
    """
    found: dict[int, Kernel] = {}
    for kernel in variables_at_places(model):
        known = found.get(id(kernel.variable))
        if known is None or any(known.layer is outer for outer in (model, *kernel.chain[:-1])):
            found[id(kernel.variable)] = kernel
    return list(found.values())


def variables_at_places(model: keras.layers.Layer) -> Iterator[Kernel]:
    """Yields every variable in a built model, without masks, once for each place of its layer in the model.

    A layer within several inner models has several places; a copy of the model may have a layer for each.
    """
    taken: set[str] = set()
    for path, chain in [("", (model,)), *_places(model)]:
        layer = chain[-1]
        for variable in own_variables(layer):
            mask = getattr(variable, "mask", None)
            name = re.sub(r"^variable_\d+$", "variable", variable.name)  # Keras numbers unnamed variables
            own_path = path if isinstance(layer, KernelPart) and mask is not None else _joined(path, name)
            yield Kernel(_unique(own_path, taken), chain, variable, mask)


def _places(model: keras.layers.Layer) -> Iterator[tuple[str, Chain]]:
    """Yields the path and the chain of each layer within a model, once for each of the layer's places."""
    taken: set[str] = set()

    def within(owner: keras.layers.Layer, path: str, chain: Chain, named_anew: bool) -> Iterator[tuple[str, Chain]]:
        named_anew = named_anew or not holds_configs(owner)
        for inner in sublayers(owner):
            inner_path = path
            if not (isinstance(owner, keras.layers.RNN) and inner is owner.cell):
                name = _name_without_number(inner) if named_anew or _config_loses_name(inner) else inner.name
                inner_path = _unique(_joined(path, name), taken)
            yield inner_path, (*chain, inner)
            yield from within(inner, inner_path, (*chain, inner), named_anew)

    yield from within(model, "", (), False)


def _is_kernel(kernel: Kernel) -> bool:
    if isinstance(kernel.layer, MaskedKernel):
        return kernel.mask is not None
    return kernel.variable.name.endswith("kernel")


def _name_without_number(layer: keras.layers.Layer) -> str:
    """Returns a layer's name, without its number if Keras made it from the class of the layer or of its stock twin."""
    name = re.sub(r"_\d+$", "", layer.name)
    of_class = re.sub("^(forward|backward)_", "", name)  # prefixes that Bidirectional adds
    return name if of_class in {to_snake_case(kind.__name__) for kind in type(layer).__mro__} else layer.name


def _config_loses_name(layer: keras.layers.Layer) -> bool:
    """Returns whether copies of a layer get new names, because the config of a user's class leaves the name out."""
    if type(layer).__module__.startswith(("keras.", "keras_sparseflow.")) or _name_without_number(layer) == layer.name:
        return False
    with contextlib.suppress(NotImplementedError):  # without a config Keras makes no copy
        own: Any = getattr(layer, "own_config", layer.get_config)  # a holder of masks has another config
        return "name" not in own()
    return False


def _without_own_name(kernel: Kernel) -> str:
    """Returns the path of a kernel's layer; the kernel's own path if the model or a part owns the kernel."""
    return kernel.path if isinstance(kernel.layer, KernelPart) else kernel.path.rpartition("/")[0] or kernel.path


def _joined(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _unique(path: str, taken: set[str]) -> str:
    """Returns a path, numbered if it is taken already, and marks it as taken."""
    numbered, number = path, 1
    while numbered in taken:
        number += 1
        numbered = f"{path}#{number}"
    taken.add(numbered)
    return numbered
