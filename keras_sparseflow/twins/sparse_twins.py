"""The twin of a masked model that stores, and multiplies, active weights alone; and back."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.mask.slots import slots_of
from keras_sparseflow.layers.sparse.providers import BREAK_EVEN, provider
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel
from keras_sparseflow.layers.structure import Kernel, holds_configs, masked_kernels_of
from keras_sparseflow.twins.copying import copy_model, layers_of
from keras_sparseflow.twins.in_place import forget_traces, make_masked, make_sparse
from keras_sparseflow.twins.kinds import MASKED_OF, SPARSE_OF, own_class

MIN_ENTRIES = 2**14
"""Kernels with fewer entries stay masked by default: calls of sparse kernels cost more than their dense products."""

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
    model's twin is compiled in the same way, and its optimizer goes on where the model's is. Training is that of the
    masked model but for the order of sums.

    Args:
        model: of any kind, built, with masked layers.
        max_density: layers with a higher density stay masked; None for the density from which on a masked layer is
            faster with the kernels at hand: 0.15 by Numba (extra `fast`), 0.13 by TensorFlow.
        min_entries: layers whose kernel has fewer entries stay masked, too.
        inplace: whether the model itself becomes the twin; it then stays compiled, with a new optimizer of the same
            state.

    Raises:
        ValueError: the model is not built or cannot be copied, or its optimizer trains vectors in another way.
        RuntimeError: Keras runs on another backend than TensorFlow.

    Example:
        >>> from keras_sparseflow import MaskedDense
        >>> model = keras.Sequential([keras.Input((200,)), MaskedDense(100, density=0.05, mask_seed=0)])
        >>> twin = to_sparse(model)
        >>> type(twin.layers[0]).__name__, tuple(twin.layers[0].values.shape)
        ('SparseDense', (1000,))
    """
    check_tensorflow("to_sparse")
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


def default_density() -> float:
    """Returns the density up to which layers become sparse by default, with the kernels at hand."""
    return BREAK_EVEN[provider()]


def why_masked(kernel: Kernel, max_density: float, min_entries: int = MIN_ENTRIES) -> str | None:
    """Returns why a masked kernel does not become sparse; None if it does."""
    layer: Any = kernel.layer
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
    if layer.density > max_density:
        return f"density {layer.density:.3g} is above {max_density:.3g}"
    if math.prod(kernel.shape) < min_entries:
        return f"less than {min_entries:,} entries"
    return None


def _keeps(layer: keras.layers.Layer) -> bool:
    """Returns whether the config of an outer layer holds that of the layers within, which it only calls."""
    return holds_configs(layer) or type(layer) is keras.layers.TimeDistributed


def _converted(model: keras.Model, convert: Callable[[keras.Model], None], inplace: bool) -> keras.Model:
    """Returns a model, or a copy of it, whose layers are converted, with the optimizer's state."""
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")
    trained, optimizer = model.trainable_variables, model.optimizer if model.compiled else None
    _check_optimizer(optimizer)
    twin = model if inplace else copy_model(model)
    kept = list(trained)
    convert(twin)
    if optimizer is None:
        return twin
    if inplace:
        twin.optimizer = type(optimizer).from_config(optimizer.get_config())
        forget_traces(layers_of(twin))
    else:
        twin.compile_from_config(model.get_compile_config())
    if optimizer.built:
        twin.optimizer.build(twin.trainable_variables)
        _carry_state(optimizer, twin.optimizer, list(zip(kept, twin.trainable_variables, strict=True)))
    return twin


def _check_optimizer(optimizer: Any) -> None:
    for each in (optimizer, getattr(optimizer, "inner_optimizer", None)):
        if isinstance(each, _COMPARES_ENTRIES):
            raise ValueError(
                f"`optimizer` must train a vector of weights as it trains a matrix; received {type(each).__name__}, "
                "which does not. Compile with another one, such as Adam."
            )


def _carry_state(
    before: keras.optimizers.Optimizer,
    after: keras.optimizers.Optimizer,
    pairs: list[tuple[keras.Variable, keras.Variable]],
) -> None:
    """Gives an optimizer the state of another of the same config, which has trained the twins of its variables."""
    for old, new in zip(before.variables, after.variables, strict=True):
        if tuple(old.shape) == tuple(new.shape):
            new.assign(old)
    for ours, theirs in pairs:
        if tuple(ours.shape) != tuple(theirs.shape):
            for old, new in zip(slots_of(before, ours), slots_of(after, theirs), strict=True):
                new.assign(_in_shape_of_twin(ops.convert_to_numpy(old), ours, theirs))


def _in_shape_of_twin(slot: Any, before: Any, after: Any) -> Any:
    """Returns a slot of a masked kernel for its active weights, or one of active weights for the masked kernel."""
    return after.of_dense(slot) if hasattr(after, "of_dense") else before.dense(slot)
