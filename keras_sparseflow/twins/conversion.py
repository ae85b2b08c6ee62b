"""A stock model's masked twin, and a masked model's stock one."""

import math
import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.layers.mask.slots import check_slots
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel
from keras_sparseflow.layers.structure import Kernel, dense_matrices_of, own_variables
from keras_sparseflow.masks.making import Distribution, make_masks, set_masks
from keras_sparseflow.masks.scores.problem import Score
from keras_sparseflow.masks.which_kernels import Exclusion, names_kernel
from keras_sparseflow.twins.copying import copy_model, layers_of
from keras_sparseflow.twins.holders import MaskedHolder, kernels_by_path, mask_kernels
from keras_sparseflow.twins.in_place import become, can_be_masked, forget_traces, unmask_layer
from keras_sparseflow.twins.kinds import masked_class, own_class
from keras_sparseflow.twins.sparse_twins import check_can_be_sparse, optimizer_of, to_masked, to_sparse

_SCALES = ("alpha", "beta", "gamma")
"""Names of variables of activations and normalisations, which may have a value for each entry of an image."""


@takes_density
def sparsify(
    model: keras.Model,
    density: float | None = None,
    distribution: Distribution = "uniform",
    score: str | Score = "random",
    seed: int = 0,
    exclude: Exclusion | Iterable[Exclusion] = (),
    *,
    include: Exclusion | Iterable[Exclusion] = (),
    inplace: bool = False,
    data: Any = None,
    loss: Any = None,
    training: bool = True,
    batch_size: int = 256,
    allow_collapse: bool = False,
    execution: str = "masked",
) -> keras.Model:
    """Returns the masked twin of a model: a copy of its own class, names and weights, with a mask on each kernel.

    The model is copied as Keras copies it. Then each dense, convolutional (transposed, depthwise and separable too),
    `EinsumDense`, attention and recurrent layer within, however deep, turns into its masked class where it is: in
    functional, sequential and subclassed models, layers that hold layers, wrappers, and cells. Subclasses of these
    layers stay what they are, too. Everything else is left as it is; a warning says so where more than a tenth of the
    entries of kernels stays dense. The twin is not compiled. At density 1 its outputs are the model's. Masks that the
    model has already are replaced.

    Args:
        model: of any kind, built.
        density: float in [0, 1], of the kernels that are not excluded; None where the distribution gives counts.
        distribution: a name in `keras_sparseflow.masks.DISTRIBUTIONS`: "uniform" (round(density * size)
            in each kernel), "erk" (larger kernels are sparser; exact in total), "er" or "global"; or active
            weights for each kernel by path. See `make_masks`.
        score: a name in `keras_sparseflow.masks.SCORES`: "random", "magnitude", "snip", "grasp", "synflow". The
            weights with the highest scores are active, the first among equals.
        seed: int, at least 0, what random masks depend on, together with the kernel's place in the model.
        exclude: kernels that are left as they are: names or paths of layers, patterns of these
            (`"block_*"`, `"*/query"`), or classes of layers; one or several.
        include: other layers whose matrix gets a mask too, named in the same way, such as `keras.layers.Embedding`.
        inplace: whether the model itself becomes the twin, where it cannot be copied or need not be.
        data: arrays `(x, y)`, or a `tf.data.Dataset` of batches, for scores that look at examples.
        loss: see `make_masks`, as are the following; None for the model's own.
        training: whether BatchNorm runs in training mode where SNIP and GraSP take gradients.
        batch_size: examples of arrays taken at once.
        allow_collapse: whether a kernel may be left without any active weight.
        execution: "masked", or "sparse" for layers that store and multiply active weights alone where that is faster,
            see `to_sparse`.

    Raises:
        ValueError: the model is not built, cannot be copied or has nothing to mask, the density is not a fraction or
            leaves a kernel with no active weight, a name is unknown, an exclusion matches nothing, the score
            cannot be computed, `to_sparse` refuses the model, or its optimizer's class has no config (`inplace`).

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10), keras.layers.Dense(2, name="head")])
        >>> twin = sparsify(model, density=0.25, exclude="head")
        >>> twin.layers[0].active_count
        20
    """
    _check_built(model)
    if execution not in ("masked", "sparse"):
        raise ValueError(f"`execution` must be 'masked' or 'sparse'; received {execution!r}.")
    if execution == "sparse":
        check_can_be_sparse(model, optimizer_of(model) if inplace else None)
    if any(isinstance(layer, SparseKernel) for layer in layers_of(model)):
        model = to_masked(model, inplace=inplace)
    included = _included(model, include)
    kernels = kernels_by_path(model, included)
    candidates = [kernel for kernel in kernels.values() if can_be_masked(kernel) or _is_of(kernel, included)]
    dense = [kernel for kernel in kernels.values() if kernel not in candidates]
    if not candidates:
        raise ValueError(f"Model {model.name!r} has no kernel that can be masked: {_why_none(model, dense)}")
    exclusions = _as_list(exclude)
    twin = model if inplace else copy_model(model)
    masks = make_masks(
        model,
        density,
        score=score,
        distribution=distribution,
        data=data,
        loss=loss,
        training=training,
        batch_size=batch_size,
        seed=seed,
        exclude=[item for item in exclusions if _names_one(candidates, item) or not _names_one(dense, item)],
        allow_collapse=allow_collapse,
        kernels=candidates,
    )
    trained = inplace and model.compiled and model.optimizer.built
    if trained:
        check_slots(model.optimizer, [kernel.variable for kernel in candidates])
    found = kernels_by_path(twin, included)
    mask_kernels(twin, [found[path] for path in masks])
    set_masks(twin, masks, model.optimizer if trained else None)
    if inplace:
        forget_traces(layers_of(twin))
    _warn_of_dense(twin, candidates, exclusions)
    return to_sparse(twin, inplace=True) if execution == "sparse" else twin


def strip_masks(model: keras.Model, inplace: bool = False) -> keras.Model:
    """Returns the model in stock Keras layers, with zeros where weights are inactive: the same outputs.

    What it returns needs nothing of this package, is not compiled, and does not stay sparse when it is
    trained. LoRA's part is merged into the kernels of masked layers.

    Args:
        model: of any kind, built.
        inplace: whether the model itself is turned back, where it cannot be copied or need not be.

    Raises:
        ValueError: it is not built, or cannot be copied.

    Example:
        >>> from keras_sparseflow import MaskedDense
        >>> model = keras.Sequential([keras.Input((8,)), MaskedDense(4, density=0.25, mask_seed=0)])
        >>> stock = strip_masks(model)
        >>> type(stock.layers[0]).__name__, int((stock.get_weights()[0] != 0).sum())
        ('Dense', 8)
    """
    _check_built(model)
    stripped = model if inplace else copy_model(model)
    layers = layers_of(stripped)
    for layer in layers:
        unmask_layer(layer)
    for layer in layers:
        if isinstance(layer, MaskedHolder):
            become(layer, own_class(type(layer)))
        if isinstance(layer, keras.Model) and type(layer).__module__.startswith("keras_sparseflow."):
            become(layer, next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras.")))
    if inplace:
        forget_traces(layers)
    return stripped


def _check_built(model: keras.Model) -> None:
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")


def _as_list(items: Exclusion | Iterable[Exclusion]) -> list[Exclusion]:
    return [items] if isinstance(items, (str, type)) else list(items)


def _names_one(kernels: Iterable[Kernel], item: Exclusion) -> bool:
    return not isinstance(item, (str, type)) or any(names_kernel(kernel, item) for kernel in kernels)


def _included(model: keras.Model, include: Exclusion | Iterable[Exclusion]) -> list[str]:
    """Returns the paths of the matrices that are masked beside the kernels of stock layers."""
    matrices = [matrix for matrix in dense_matrices_of(model) if masked_class(matrix.layer) is None]
    chosen: dict[str, Kernel] = {}
    for item in _as_list(include):
        named = [matrix for matrix in matrices if names_kernel(matrix, item)]
        if not named:
            names = ", ".join(matrix.path for matrix in matrices) or "no layer has another matrix"
            raise ValueError(f"`include` names {item!r}, which no other matrix matches; expected one of: {names}.")
        chosen |= {matrix.path: matrix for matrix in named}
    for matrix in chosen.values():
        _check_can_be_included(matrix)
    return list(chosen)


def _check_can_be_included(matrix: Kernel) -> None:
    """Refuses a matrix that a copy of its layer would call otherwise, and one of one's own cell.

    A cell reads it in each step of a loop, where its mask cannot be seen.
    """
    names = [variable.name for variable in own_variables(matrix.layer)]
    if names.count(matrix.variable.name) > 1 or re.fullmatch(r"variable(_\d+)?", matrix.variable.name):
        raise ValueError(
            f"`include` must name matrices that have a name of their own in their layer; received {matrix.path!r} of "
            f"{type(matrix.layer).__name__}. Give its `add_weight` a `name`."
        )
    if any(isinstance(layer, keras.layers.RNN) for layer in matrix.chain):
        raise ValueError(
            f"`include` must name matrices outside of loops over time; received {matrix.path!r} of the cell "
            f"{type(matrix.layer).__name__}. Let the cell hold a `keras.layers.Dense` instead, which can be masked."
        )


def _is_of(kernel: Kernel, included: Sequence[str]) -> bool:
    """Returns whether a kernel is one of the variables of these paths."""
    return any(path in (kernel.path, f"{kernel.path}/{kernel.variable.name}") for path in included)


def _why_none(model: keras.Model, dense: Sequence[Kernel]) -> str:
    if not dense:
        return "expected a dense, convolutional, attention or recurrent layer."
    held = ", ".join(f"{kernel.path!r} of {type(kernel.layer).__name__}" for kernel in dense)
    return f"its kernels are of layers of other classes, {held}. Name them by `include=` to mask them all the same."


def left_dense(model: keras.Model, exclusions: Sequence[Exclusion] = ()) -> tuple[list[Kernel], list[Kernel]]:
    """Returns the matrices that have no mask and are not excluded, largest first: embeddings, and all others."""
    left = [
        matrix
        for matrix in sorted(dense_matrices_of(model), key=lambda each: -math.prod(each.shape))
        if matrix.variable.name not in _SCALES and not any(names_kernel(matrix, item) for item in exclusions)
    ]
    embeddings = [matrix for matrix in left if "embedding" in matrix.variable.name]
    return embeddings, [matrix for matrix in left if matrix not in embeddings]


def _warn_of_dense(twin: keras.Model, candidates: Sequence[Kernel], exclusions: Sequence[Exclusion]) -> None:
    """Warns if more than a tenth of the entries of kernels stays dense, without being excluded; embeddings apart."""
    embeddings, others = left_dense(twin, exclusions)
    left = sum(math.prod(matrix.shape) for matrix in others)
    size = left + sum(math.prod(kernel.shape) for kernel in candidates)
    if left <= 0.1 * size:
        return
    named = ", ".join(f"{each.path!r} ({type(each.layer).__name__}, {math.prod(each.shape):,})" for each in others[:3])
    apart = f" Embeddings, not counted: {', '.join(repr(each.path) for each in embeddings)}." if embeddings else ""
    warnings.warn(
        f"{left / size:.0%} of the entries of kernels in model {twin.name!r} stay dense: {len(others)} are of layers "
        f"that are no stock ones, the largest {named}. Mask them by `include={others[0].path!r}`, or leave them out, "
        f"and this warning too, by `exclude={others[0].path!r}`.{apart}",
        stacklevel=4,
    )
