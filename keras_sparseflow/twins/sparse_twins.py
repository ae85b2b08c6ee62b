"""The twin of a masked model that stores, and multiplies, active weights alone; and back."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.mask.optimizer_copies import that_train, unbuilt_copy
from keras_sparseflow.layers.mask.slots import reset_inactive_slots, slots_of
from keras_sparseflow.layers.mask.variables import MaskedVariable
from keras_sparseflow.layers.sparse.providers import BREAK_EVEN, MIN_ENTRIES, provider
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel, SparseValues
from keras_sparseflow.layers.structure import Kernel, holds_configs, masked_kernels_of
from keras_sparseflow.twins.copying import copy_model, layers_of
from keras_sparseflow.twins.in_place import forget_traces, make_masked, make_sparse
from keras_sparseflow.twins.kinds import MASKED_OF, SPARSE_OF, own_class

_COMPARES_ENTRIES = (
    keras.optimizers.Adafactor,
    *([keras.optimizers.Muon] if hasattr(keras.optimizers, "Muon") else []),
)
"""Optimizers that train a matrix in another way than a vector of its entries."""


def to_sparse(
    model: keras.Model, max_density: float | None = None, *, min_entries: int = MIN_ENTRIES, inplace: bool = False
) -> keras.Model:
    """Returns the twin of a masked model whose layers store and multiply active weights alone: the same outputs.

    Dense layers, `EinsumDense` layers that are matrix products and convolutions of size 1x1 become sparse, where that
    is faster: see docs/sparse_execution.md. The others stay masked; `sparsity_summary` says which and why. A compiled
    model's twin is compiled in the same way, with the same losses and metrics, and its optimizer, a new one with the
    same schedule, goes on where the model's is. Training is that of the
    masked model but for the order of sums.

    Args:
        model: functional or sequential, built, with masked layers.
        max_density: layers with a higher density stay masked; None for the density from which on a masked layer is
            faster with the kernels at hand: 0.15 by Numba (extra `fast`), 0.12 by TensorFlow.
        min_entries: layers whose kernel has fewer entries stay masked, too.
        inplace: whether the model itself becomes the twin; it then stays compiled, with a new optimizer of the same
            state.

    Raises:
        ValueError: the model is not built, makes its layers itself or cannot be copied, its class has a `compile` of
            its own, or its optimizer trains vectors in another way or has no config. The model is as it was then.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:
        >>> from keras_sparseflow import MaskedDense
        >>> model = keras.Sequential([keras.Input((200,)), MaskedDense(100, density=0.05, mask_seed=0)])
        >>> twin = to_sparse(model)
        >>> type(twin.layers[0]).__name__, tuple(twin.layers[0].values.shape)
        ('SparseDense', (1000,))
    """
    check_can_be_sparse(model)
    limit = default_density() if max_density is None else max_density

    def convert(twin: keras.Model) -> None:
        for kernel in masked_kernels_of(twin):
            if not isinstance(kernel.layer, SparseKernel) and why_masked(kernel, limit, min_entries) is None:
                make_sparse(kernel.layer)

    return _converted(model, convert, inplace)


def to_masked(model: keras.Model, *, inplace: bool = False) -> keras.Model:
    """Returns the masked twin of a model with sparse layers, as `to_sparse` does the other way round.

    Args:
        model: of any kind, built.
        inplace: see `to_sparse`.

    Raises:
        ValueError: the model is not built or cannot be copied.

    Example:
        >>> from keras_sparseflow.layers import SparseDense
        >>> model = keras.Sequential([keras.Input((20,)), SparseDense(10, density=0.05, mask_seed=0)])
        >>> type(to_masked(model).layers[0]).__name__
        'MaskedDense'
    """

    def convert(twin: keras.Model) -> None:
        for layer in layers_of(twin):
            if isinstance(layer, SparseKernel):
                make_masked(layer)

    return _converted(model, convert, inplace)


def resize(model: keras.Model, masks: Mapping[int, np.ndarray]) -> bool:
    """Gives sparse layers of a compiled model masks with other counts, by new variables; returns whether one has.

    The optimizer becomes a new one with the state of the old one. Weights that become active start at zero.

    Args:
        model: built and compiled.
        masks: by the `id` of layers; layers that are not sparse, or keep their count, are left as they are.
    """
    layers = [layer for layer in layers_of(model) if isinstance(layer, SparseKernel) and id(layer) in masks]
    changed = [layer for layer in layers if np.count_nonzero(masks[id(layer)]) != layer.active_count]

    def convert(_: keras.Model) -> None:
        for layer in changed:
            masked: Any = layer
            make_masked(layer)
            masked.set_mask(masks[id(layer)])
            make_sparse(layer)

    if changed:
        _converted(model, convert, inplace=True)
    return bool(changed)


def default_density() -> float:
    """Returns the density up to which layers become sparse by default, with the kernels at hand."""
    return BREAK_EVEN[provider()]


def why_masked(kernel: Kernel, max_density: float, min_entries: int = MIN_ENTRIES) -> str | None:
    """Returns why a masked kernel does not become sparse; None if it does."""
    layer: Any = kernel.layer
    density: float = layer.density
    own = own_class(type(layer))
    kind = SPARSE_OF.get(own)
    if kind is None or type(layer) is not MASKED_OF[own]:
        return f"there is no sparse {own.__name__.lstrip('_')}"
    outer = next((each for each in kernel.chain[:-1] if not _keeps(each)), None)
    if outer is not None:
        return f"{type(outer).__name__} {outer.name!r} makes or reads the layer itself"
    why = kind.why_not_sparse(layer)
    if why is not None:
        return why
    if density > max_density:
        return f"density {density:.3g} is above {max_density:.3g}"
    if math.prod(kernel.shape) < min_entries:
        return f"less than {min_entries:,} entries"
    return None


def _keeps(layer: keras.layers.Layer) -> bool:
    """Returns whether the config of an outer layer holds that of the layers within, which it only calls."""
    return holds_configs(layer) or type(layer) is keras.layers.TimeDistributed


def check_can_be_sparse(model: keras.Model, optimizer: Any = None) -> None:
    """Refuses models whose config would not keep sparse layers, and optimizers that can't train the twin.

    Args:
        model: the model, or a layer.
        optimizer: that of the model, if its twin is to go on with it.

    Raises:
        ValueError: see `to_sparse`.
        RuntimeError: Keras runs on another backend than TensorFlow.
    """
    check_tensorflow("to_sparse")
    if model.built and not holds_configs(model):
        raise ValueError(
            f"`model` must be functional or sequential, or of layers that its config holds; received {model.name!r} of "
            f"{type(model).__name__}, which makes its layers itself and would make masked ones when it is loaded."
        )
    unbuilt_successor(optimizer)


def unbuilt_successor(optimizer: Any) -> Any:
    """Returns an optimizer like this one for a model's twin, without state; None for None.

    Raises:
        ValueError: the optimizer trains a vector in another way than a matrix, or no other one can be made like it.
    """
    for each in () if optimizer is None else that_train(optimizer):
        if isinstance(each, _COMPARES_ENTRIES):
            raise ValueError(
                f"`optimizer` must train a vector of weights as it trains a matrix; received {type(each).__name__}, "
                "which does not. Compile with another one, such as Adam."
            )
    return None if optimizer is None else unbuilt_copy(optimizer)


def optimizer_of(model: keras.Model) -> Any:
    """Returns the optimizer that a model is compiled with; None where it is not compiled."""
    return model.optimizer if model.compiled else None


def _converted(model: keras.Model, convert: Callable[[keras.Model], None], inplace: bool) -> keras.Model:
    """Returns a model, or a copy of it, whose layers are converted, with the optimizer's state."""
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")
    kept, optimizer = [*model.trainable_variables], optimizer_of(model)
    successor = unbuilt_successor(optimizer)  # what is refused is refused before anything is changed
    if optimizer is not None and not inplace:
        _check_compile(model)
    twin = model if inplace else copy_model(model)
    convert(twin)
    if optimizer is None:
        return twin
    _take_state(successor, optimizer, list(zip(kept, twin.trainable_variables, strict=True)))
    if inplace:
        twin.optimizer = twin._compile_config.config["optimizer"] = successor
    else:
        _compile(twin, model, successor)
    forget_traces(layers_of(twin))
    return twin


def _check_compile(model: Any) -> None:
    """Refuses a model of a class with an own `compile`, which may keep what only its class knows of."""
    kind = type(model)
    if kind.compile is not keras.Model.compile and kind.compile_from_config is keras.Model.compile_from_config:
        raise ValueError(
            f"`model` must be compiled as Keras compiles; received {model.name!r} of {kind.__name__}, which has a "
            "`compile` of its own. Change the model itself by `inplace=True`, or give its class a `get_compile_config` "
            "and a `compile_from_config`."
        )


def _compile(twin: Any, model: Any, optimizer: keras.optimizers.Optimizer) -> None:
    """Compiles a twin as its model is: losses and metrics are the same objects, which may have no config."""
    if type(model).compile is keras.Model.compile:
        arguments = model._compile_config.config
        twin.compile(**{**arguments, "optimizer": optimizer, "auto_scale_loss": False})  # the optimizer does by now
        for metric in keras.tree.flatten([arguments["metrics"], arguments["weighted_metrics"]]):
            if isinstance(metric, keras.metrics.Metric):
                metric.reset_state()  # Keras resets them before the second epoch, as they would be new in the first
    else:
        twin.compile_from_config(model.get_compile_config())
        twin.optimizer = optimizer


def _take_state(after: Any, before: Any, pairs: Sequence[tuple[keras.Variable, keras.Variable]]) -> None:
    """Builds an optimizer for the twins of another one's variables, and gives it the other one's state.

    Args:
        after: an unbuilt copy of the other one.
        before: the other one.
        pairs: each trained variable and its twin.
    """
    for decaying, decays in zip(that_train(before), that_train(after), strict=True):
        decays.exclude_from_weight_decay([theirs for ours, theirs in pairs if not decaying._use_weight_decay(ours)])
    if not before.built:
        return
    after.build([theirs for _, theirs in pairs])
    for old, new in zip(before.variables, after.variables, strict=True):
        if tuple(old.shape) == tuple(new.shape):
            new.assign(old)
    for ours, theirs in pairs:
        if ours is theirs:
            continue
        for old, new in zip(slots_of(before, ours), slots_of(after, theirs), strict=True):
            slot = ours.dense(old) if isinstance(ours, SparseValues) else ops.convert_to_numpy(old)
            new.assign(theirs.of_dense(slot) if isinstance(theirs, SparseValues) else slot)
        if isinstance(theirs, MaskedVariable):
            reset_inactive_slots(after, theirs)
