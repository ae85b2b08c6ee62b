"""Masks on kernels where they are: a layer turns into its masked class in place, and back.

Keras' own `enable_lora` adds variables to a built layer in the same way: the layer's tracker is unlocked, and locked.
Nothing around the layer changes, and its kernel stays the same variable, which becomes a masked one.
"""

import contextlib
import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.mask.variables import attach_mask, detach_mask
from keras_sparseflow.layers.masked import MaskedKernel
from keras_sparseflow.layers.several_kernels import KernelPart, MaskedParts
from keras_sparseflow.layers.sparse.places import indices_of
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel
from keras_sparseflow.layers.structure import Kernel, sublayers
from keras_sparseflow.twins.kinds import MASKED_OF, SPARSE_OF, masked_class, own_class, subclass_of


def can_be_masked(kernel: Kernel) -> bool:
    """Returns whether a kernel has a mask, or is one of a layer of a stock class or of a subclass of one."""
    layer = kernel.layer
    if isinstance(layer, MaskedKernel):
        return kernel.mask is not None
    kind = masked_class(layer)
    if kind is None:
        return False
    names = kind.kernel_attributes if issubclass(kind, MaskedParts) else ("kernel",)
    return kernel.variable.name in names


def mask_kernel(kernel: Kernel, among: Sequence[str] = ()) -> None:
    """Turns the layer of a kernel into its masked class, with a mask that is True everywhere.

    Its other kernels get masks too, and so do those of a layer around it, such as the projections of an attention.

    Args:
        kernel: the kernel.
        among: in a layer of no stock class that has several kernels, the names of those that get masks.
    """
    for layer in kernel.chain:
        kind = masked_class(layer)
        if kind is not None and issubclass(kind, MaskedParts):
            _mask_parts(layer, kind)
    layer = kernel.layer
    own: Any = type(layer)
    if isinstance(layer, (MaskedKernel, MaskedParts)):
        return
    if masked_class(layer) is None and among:
        _take_parts(layer, _class_of_parts(own, tuple(among)))
    else:
        _mask(layer, masked_class(layer) or _included_class(own), kernel.variable)


def unmask_layer(layer: Any) -> None:
    """Turns a masked layer, or a part of one, into what it was; LoRA's part is merged into the kernel."""
    if isinstance(layer, SparseKernel):
        make_masked(layer)
    if isinstance(layer, MaskedParts):
        _unmask_parts(layer)
    elif isinstance(layer, MaskedKernel) and not isinstance(layer, KernelPart):
        if getattr(layer, "lora_enabled", False):
            _merge_lora(layer)
        kernel = _unmask(layer)
        become(layer, own_class(type(layer)))
        if hasattr(type(layer), "kernel") or hasattr(layer, "_kernel"):
            return
        if kernel.name == "kernel":
            layer.kernel = kernel


def become(layer: Any, kind: type) -> None:
    """Turns a layer into one of another class in place.

    Keras wraps `build` and `quantize` of each layer when it makes the layer: the wrappers then call those of the class.
    """
    layer.__class__ = kind
    for name in ("build", "quantize"):
        wrapper = vars(layer)[name]
        cells = dict(zip(wrapper.__code__.co_freevars, wrapper.__closure__, strict=True))
        cells[f"original_{name}_method"].cell_contents = getattr(kind, name).__get__(layer)


def make_sparse(layer: Any) -> None:
    """Turns a masked layer into the one of the same weights that stores active weights alone.

    Args:
        layer: of a class whose stock one is in `SPARSE_OF`, and which `why_not_sparse` says nothing against.
    """
    kernel, mask = layer.stored_kernel, ops.convert_to_numpy(layer.mask)
    indices, values = indices_of(mask), ops.convert_to_numpy(kernel)[mask]
    _unmask(layer)
    become(layer, SPARSE_OF[own_class(type(layer))])
    with _unlocked(layer):
        layer.hold(_in_place_of(layer, kernel, values, autocast=False), indices, mask.shape)
    layer._requested_density, layer.mask_seed, layer._given_mask = indices.size / max(1, mask.size), 0, None
    layer._kernel, layer.supports_jit = layer.values, False


def make_masked(layer: SparseKernel) -> None:
    """Turns a layer that stores active weights alone into the masked one of the same weights."""
    kept: Any = layer
    values, mask = layer.values, np.array(layer.mask)
    dense = values.dense()
    layer._untrack_variable(layer.indices)
    _forget(layer, "mask", "indices", "values", "stored_kernel", "pairs")
    with _unlocked(layer):
        kept._kernel = _in_place_of(layer, values, dense, autocast=True)
    _mask(layer, MASKED_OF[own_class(type(layer))], kept._kernel)
    kept.set_mask(mask)
    layer.supports_jit = True


def forget_traces(layers: Iterable[Any]) -> None:
    """Lets models trace the functions of `fit`, `evaluate` and `predict` anew, which have read kernels as they were."""
    for layer in layers:
        if isinstance(layer, keras.Model):
            layer.train_function = layer.test_function = layer.predict_function = None


@functools.cache
def _included_class(kind: type) -> type:
    return subclass_of(kind, MaskedKernel)


@functools.cache
def _class_of_parts(kind: type, names: tuple[str, ...]) -> Any:
    new: Any = subclass_of(kind, MaskedParts)
    new.kernel_attributes = names
    return new


def _mask(layer: Any, kind: type, kernel: keras.Variable) -> None:
    become(layer, kind)
    with _unlocked(layer):
        layer._requested_density, layer.mask_seed, layer._given_mask = 1.0, 0, None
        layer.mask = keras.layers.Layer.add_weight(
            layer,
            name="mask",
            shape=kernel.shape,
            dtype="bool",
            initializer=lambda shape, dtype=None: ops.ones(shape, "bool"),
            trainable=False,
        )
        layer._dense_gradients = attach_mask(kernel, layer.mask).variable
        layer.stored_kernel = kernel


def _unmask(layer: Any) -> keras.Variable:
    kernel: keras.Variable = layer.stored_kernel
    layer._untrack_variable(layer.mask)
    detach_mask(layer.stored_kernel)
    _forget(layer, "mask", "stored_kernel", "_dense_gradients", "_requested_density", "mask_seed", "_given_mask")
    return kernel


def _in_place_of(layer: Any, old: Any, values: np.ndarray, autocast: bool) -> keras.Variable:
    """Returns a new variable of a layer in the place of another one, under its name."""
    lists = (layer._trainable_variables, layer._non_trainable_variables)
    own = next(each for each in lists if any(variable is old for variable in each))
    places = {id(variable): place for place, variable in enumerate(own)}
    layer._untrack_variable(old)
    new: keras.Variable = keras.layers.Layer.add_weight(
        layer,
        name=old.name,
        shape=values.shape,
        initializer=lambda shape, dtype=None: ops.convert_to_tensor(values),
        regularizer=old.regularizer,
        constraint=old.constraint,
        autocast=autocast,
    )
    new._path, new.trainable = old.path, old.trainable
    own.sort(key=lambda variable: places.get(id(variable), places[id(old)]))
    return new


def _mask_parts(layer: Any, kind: Any) -> None:
    within = [each for each in sublayers(layer) if masked_class(each) is not None]
    _take_parts(layer, kind)
    for each in within:
        inner = masked_class(each)
        if issubclass(inner, MaskedParts):
            _mask_parts(each, inner)
        elif not isinstance(each, MaskedKernel):
            _mask(each, inner, each._kernel)


def _take_parts(layer: Any, kind: Any) -> None:
    """Lets a layer become one whose kernels belong to parts."""
    variables = {variable.name: variable for variable in _own(layer)}
    become(layer, kind)
    with _unlocked(layer):
        layer._requested_density, layer.mask_seed, layer._given_masks = 1.0, 0, {}
        layer._weight_names = list(variables) if kind.kernel_attributes else []
        for name in kind.kernel_attributes:
            if _reads_from_part(kind, name):
                _forget(layer, name)
            layer._untrack_variable(variables[name])
            setattr(layer, f"{name}_part", _part_of(layer, variables[name]))


def _reads_from_part(kind: type, name: str) -> bool:
    """Returns whether a class has a property in place of the attribute that holds a kernel in the stock layer."""
    return isinstance(getattr(kind, name, None), property)


def _part_of(layer: Any, kernel: keras.Variable) -> KernelPart:
    """Returns a part that holds a kernel, as `MaskedParts.add_weight` makes it."""
    part = KernelPart(name=kernel.name, dtype=layer.dtype_policy)
    trainable = kernel.trainable
    kernel.trainable = True  # a frozen kernel stands among those that may train, too
    with _unlocked(part):
        part._track_variable(kernel)
    part.built = True
    _mask(part, KernelPart, kernel)
    part._lock_state()
    part.trainable = layer.trainable
    kernel.trainable = trainable
    return part


def _unmask_parts(layer: Any) -> None:
    names = list(layer._weight_names)
    kernels, kind = {}, type(layer)
    with _unlocked(layer):
        for name in layer._kernels_of_parts():
            part = layer._part(name)
            kernels[name] = _unmask(part)
            part._untrack_variable(kernels[name])
            layer._tracker.untrack(part)
            _forget(layer, f"{name}_part")
        become(layer, own_class(type(layer)))
        _forget(layer, "_weight_names", "_requested_density", "mask_seed", "_given_masks")
        for name, kernel in kernels.items():
            trainable, kernel.trainable = kernel.trainable, True
            layer._track_variable(kernel)
            kernel.trainable = trainable
            if kernel.path.endswith(f"/{name}/kernel"):  # so a part that was built with its mask calls it
                kernel._name, kernel._path = name, kernel.path.removesuffix("/kernel")
            if _reads_from_part(kind, name):
                setattr(layer, name, kernel)
    for variables in (layer._trainable_variables, layer._non_trainable_variables) if names else ():
        variables.sort(key=lambda variable: names.index(variable.name) if variable.name in names else len(names))


def _merge_lora(layer: Any) -> None:
    merged = layer.kernel
    layer.lora_enabled, layer.lora_rank = False, None
    layer.stored_kernel.assign(merged)
    layer.stored_kernel.trainable = layer.trainable
    for name in ("lora_kernel_a", "lora_kernel_b"):
        layer._untrack_variable(getattr(layer, name))
        _forget(layer, name)


def _own(layer: Any) -> list[keras.Variable]:
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _forget(layer: Any, *names: str) -> None:
    """Removes attributes of a layer, whose variables stay where they are tracked."""
    for name in names:
        vars(layer).pop(name, None)
        if hasattr(layer, "_delete_tracking"):  # TensorFlow's own list of what a layer holds
            layer._delete_tracking(name)


@contextlib.contextmanager
def _unlocked(layer: Any) -> Iterator[None]:
    locked = layer._tracker.locked
    layer._tracker.unlock()
    try:
        yield
    finally:
        if locked:
            layer._tracker.lock()
