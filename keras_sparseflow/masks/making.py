"""Makes masks for any model: a score ranks weights, a distribution says how many of each kernel are active."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_sparseflow.checks import check_seed, takes_density
from keras_sparseflow.layers.lora import merged_lora
from keras_sparseflow.layers.mask.arrays import check_density
from keras_sparseflow.layers.structure import Kernel, check_whole, kernels_of, masked_kernels_of
from keras_sparseflow.masks.collapse import CollapseError, check_masks
from keras_sparseflow.masks.mask_pictures import Masks
from keras_sparseflow.masks.score_table import DISTRIBUTIONS, SCORES
from keras_sparseflow.masks.scores.problem import MaskProblem, Score
from keras_sparseflow.masks.which_kernels import Exclusion, check_not_quantized, choose_kernels

Distribution = str | Mapping[str, int] | Callable[[Sequence[Sequence[int]], float], Sequence[int] | int]


@takes_density
def make_masks(
    model: keras.Model,
    density: float | None = None,
    *,
    score: str | Score = "random",
    distribution: Distribution = "uniform",
    data: Any = None,
    loss: Any = None,
    training: bool = True,
    batch_size: int = 256,
    seed: int = 0,
    exclude: Exclusion | Iterable[Exclusion] = (),
    allow_collapse: bool = False,
    kernels: Sequence[Kernel] | None = None,
) -> Masks:
    """Returns a boolean mask for each kernel of a model, by its path; True is active.

    The model does not change. A notebook shows the masks as pictures. `sparsify` makes a masked twin with the masks,
    `set_masks` gives them to a model of masked layers, and `mask_report` counts what they cut off.

    Args:
        model: any built Keras model, with stock or masked layers; with LoRA, kernel plus product is ranked.
        density: float in [0, 1], of the kernels that get a mask; None if the distribution is a mapping.
        score: the ranking of weights, a name in `keras_sparseflow.masks.SCORES` or such a function: "random",
            "magnitude", "snip", "grasp" (these two need data) or "synflow".
        distribution: a name in `keras_sparseflow.masks.DISTRIBUTIONS` or such a function: "uniform", "erk",
            "er", or "global" (the highest scores of all kernels together); or active weights for each kernel
            by path, such as `kernel_counts` gives for matched capacity.
        data: arrays `(x, y)`, or a `tf.data.Dataset` of batches, for scores that need examples.
        loss: a Keras loss of `(y, predictions)` or its name; None for the model's compiled loss, or else
            sparse categorical cross-entropy from logits. Regularisation is left out.
        training: whether layers such as BatchNorm run in training mode where SNIP and GraSP take gradients;
            the model's statistics do not change.
        batch_size: examples in a batch of arrays, which bounds the memory.
        seed: int, at least 0; seed and place of a kernel decide its random scores.
        exclude: kernels that get no mask: names or paths of layers, patterns of these (`"block_*"`,
            `"*/query"`), or classes of layers; one or several.
        allow_collapse: whether a kernel may be left without any active weight.
        kernels: the candidates, from `kernels_of`; None for every kernel of the model.

    Raises:
        ValueError: the model is not built or has no kernel, a kernel is quantized, the density is not a fraction, a
            name is unknown, counts do not match the kernels, an exclusion matches nothing, or the score cannot be
            computed.
        CollapseError: a kernel is left without any active weight.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10, name="hidden")])
        >>> masks = make_masks(model, 0.25, score="magnitude")
        >>> {path: int(mask.sum()) for path, mask in masks.items()}
        {'hidden': 20}
    """
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")
    seed = check_seed(seed)
    rank = SCORES.get(score) if isinstance(score, str) else score
    candidates = kernels_of(model) if kernels is None else list(kernels)
    check_whole(candidates)
    if not candidates:
        raise ValueError(f"Model {model.name!r} has no kernel that can be masked: no dense, convolutional, ... layer.")
    chosen = choose_kernels(candidates, exclude)
    check_not_quantized(chosen, "Make masks before you quantize, or leave the layer out by `exclude={path!r}`.")
    counts = _counts(chosen, density, distribution)
    if not isinstance(counts, int) and not allow_collapse:
        _check_collapse(chosen, counts, density)
    places = [candidates.index(kernel) for kernel in chosen]
    problem = MaskProblem(
        model=model,
        kernels=chosen,
        counts=counts,
        generators=[np.random.default_rng([seed, place]) for place in places],
        data=data,
        loss=loss,
        training=training,
        batch_size=batch_size,
        density=density,
    )
    with merged_lora(model):
        scores = rank(problem)
    masks = problem.select(_checked_scores(chosen, scores, score))
    if not allow_collapse:
        _check_collapse(chosen, [int(np.count_nonzero(mask)) for mask in masks], density)
    return Masks({kernel.path: mask for kernel, mask in zip(chosen, masks, strict=True)})


def set_masks(model: keras.Model, masks: Mapping[str, np.ndarray], optimizer: Any = None) -> None:
    """Gives masks to the masked layers of a model; weights that become inactive are set to zero.

    Args:
        model: a built model with a masked layer for each mask; other layers keep their masks.
        masks: boolean arrays by the path of their kernel, as from `make_masks`.
        optimizer: see `MaskedKernel.set_mask`.

    Raises:
        ValueError: a mask belongs to no masked layer or has another shape than its kernel; then no mask is set.

    Example:
        >>> from keras_sparseflow import MaskedDense
        >>> model = keras.Sequential([keras.Input((8,)), MaskedDense(10, name="hidden")])
        >>> set_masks(model, make_masks(model, 0.25, score="magnitude"))
        >>> model.layers[0].active_count
        20
    """
    masked = masked_kernels_of(model)
    check_masks(masked, masks)
    for kernel in masked:
        if kernel.path in masks:
            layer: Any = kernel.layer
            layer.set_mask(masks[kernel.path], optimizer)


def _counts(kernels: Sequence[Kernel], density: float | None, distribution: Distribution) -> Sequence[int] | int:
    """Returns the number of active weights of each kernel, or of all kernels together."""
    if isinstance(distribution, Mapping):
        if density is not None:
            raise ValueError(f"`density` must be None where `distribution` gives counts; received {density!r}.")
        return _given_counts(kernels, distribution)
    counts_of = DISTRIBUTIONS.get(distribution) if isinstance(distribution, str) else distribution
    counts = counts_of([kernel.shape for kernel in kernels], check_density(density))
    if isinstance(counts, (int, np.integer)):
        return int(counts)
    if len(counts) != len(kernels):
        raise ValueError(
            f"`distribution` must return a count for each of {len(kernels)} kernels, or one for all; received {counts}."
        )
    return [int(count) for count in counts]


def _given_counts(kernels: Sequence[Kernel], counts: Mapping[str, int]) -> list[int]:
    """Returns the counts in the order of the kernels, after a check that each kernel has one that fits."""
    odd = sorted({kernel.path for kernel in kernels} ^ set(counts))
    if odd:
        raise ValueError(
            f"`distribution` must give a count for each kernel that is not excluded and no other; {odd[0]!r} is "
            f"{'not one of them' if odd[0] in counts else 'missing'}."
        )
    for kernel in kernels:
        size = math.prod(kernel.shape)
        if not 0 <= counts[kernel.path] <= size:
            raise ValueError(
                f"`distribution` must give counts within each kernel's size: {kernel.path!r} has {size} weights; "
                f"received {counts[kernel.path]}."
            )
    return [int(counts[kernel.path]) for kernel in kernels]


def _checked_scores(kernels: Sequence[Kernel], scores: Sequence[Any], score: str | Score) -> list[np.ndarray]:
    """Returns scores as arrays, after a check that each kernel has one of its shape, without NaN."""
    who = f"The score {score if isinstance(score, str) else getattr(score, '__name__', score)!r}"
    if not isinstance(scores, Sequence):
        raise ValueError(f"{who} must return a list of arrays; received {type(scores).__name__}.")
    if len(scores) != len(kernels):
        raise ValueError(f"{who} must return an array for each of {len(kernels)} kernels; received {len(scores)}.")
    arrays = [np.asarray(array) for array in scores]
    for kernel, array in zip(kernels, arrays, strict=True):
        if array.shape != kernel.shape:
            raise ValueError(
                f"{who} must return an array of shape {kernel.shape} for {kernel.path!r}; received {array.shape}."
            )
        nan = int(np.count_nonzero(np.isnan(array)))
        if nan:
            raise ValueError(
                f"{who} must not be NaN; received {nan} NaN of {array.size} for {kernel.path!r}. Look for a loss or "
                "weights that are not finite."
            )
    return arrays


def _check_collapse(kernels: Sequence[Kernel], counts: Sequence[int], density: float | None) -> None:
    """Raises CollapseError if a kernel has no active weight, unless no kernel should have one."""
    empty = [f"{k.path} (of {math.prod(k.shape)})" for k, count in zip(kernels, counts, strict=True) if not count]
    if empty and (any(counts) or density):
        cause = "The counts leave" if density is None else f"`density` {density} leaves"
        raise CollapseError(
            f"{cause} {len(empty)} of {len(kernels)} kernels without any active weight: {', '.join(empty)}. Keep "
            "more weights, use distribution='erk', exclude these kernels, or set allow_collapse=True."
        )
