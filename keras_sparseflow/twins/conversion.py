"""A stock model's masked twin, and a masked model's stock one."""

import difflib
import fnmatch
import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.kernels import check_density
from keras_sparseflow.layers.structure import Kernel, is_rebuildable, kernels_of
from keras_sparseflow.masks import DISTRIBUTIONS, SCORES, top_mask
from keras_sparseflow.twins.kinds import MASKED_OF, STOCK_OF, has_twin
from keras_sparseflow.twins.rebuilding import WRAPPERS, rebuild

Exclusion = str | type


def sparsify(
    model: keras.Model,
    density: float,
    distribution: str = "uniform",
    score: str = "random",
    seed: int = 0,
    exclude: Exclusion | Iterable[Exclusion] = (),
) -> keras.Model:
    """Returns the masked twin of a model: the same graph, names and weights, with a mask on each kernel.

    Dense, convolutional (transposed, depthwise and separable too), `EinsumDense`, attention and
    recurrent layers get masked twins, also in nested models, `TimeDistributed` and `Bidirectional`.
    Other layers and all biases are copied as they are; `sparsity_summary` names those that hold
    matrices. The model itself is not changed. The twin is not compiled. At density 1 its outputs are
    the model's. Masks that the model has already are replaced.

    Args:
        model: functional or sequential, built.
        density: float in [0, 1], of the kernels that are not excluded.
        distribution: a name in `keras_sparseflow.masks.DISTRIBUTIONS`: "uniform" (round(density * size)
            in each kernel) or "erk" (larger kernels are sparser; exact in total).
        score: a name in `keras_sparseflow.masks.SCORES`: "random" or "magnitude". The weights with the
            highest scores of their kernel are active, the first among equals.
        seed: int, at least 0, what random masks depend on, together with the kernel's place in the model.
        exclude: kernels that are left as they are: names or paths of layers, patterns of these
            (`"block_*"`, `"*/query"`), or classes of layers; one or several.

    Raises:
        TypeError: the model is subclassed, so that its graph is not known.
        ValueError: the model is not built or has nothing to mask, the density is not a fraction or
            leaves a kernel with no active weight, a name is unknown, or an exclusion matches nothing.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10), keras.layers.Dense(2, name="head")])
        >>> twin = sparsify(model, density=0.25, exclude="head")
        >>> twin.layers[0].active_count
        20
    """
    _check_model(model, "sparsify")
    density = check_density(density)
    counts_of, scores_of = DISTRIBUTIONS.get(distribution), SCORES.get(score)
    candidates = _maskable(model)
    if not candidates:
        raise ValueError(
            f"Model {model.name!r} has no kernel that can be masked: expected a dense, convolutional, "
            "attention or recurrent layer."
        )
    chosen = _without_excluded(candidates, [exclude] if isinstance(exclude, (str, type)) else list(exclude))
    counts = dict(
        zip([kernel.path for kernel in chosen], counts_of([kernel.shape for kernel in chosen], density), strict=True)
    )
    _check_no_kernel_is_empty(chosen, counts, density)

    to_replace = {id(layer) for kernel in chosen for layer in kernel.chain if has_twin(layer)}
    twin = rebuild(model, lambda layer: _masked_copy(layer) if id(layer) in to_replace else None)
    places = {kernel.path: place for place, kernel in enumerate(candidates)}
    for kernel in kernels_of(twin):
        if kernel.path in counts:
            generator = np.random.default_rng([seed, places[kernel.path]])
            values = ops.convert_to_numpy(kernel.variable)
            kernel.layer.set_mask(top_mask(scores_of(values, generator), counts[kernel.path]))
    return twin


def strip_masks(model: keras.Model) -> keras.Model:
    """Returns the model in stock Keras layers, with zeros where weights are inactive: the same outputs.

    What it returns needs nothing of this package, is not compiled, and does not stay sparse when it is
    trained. LoRA's part is merged into the kernels of masked layers.

    Args:
        model: functional or sequential, built.

    Raises:
        TypeError: the model is subclassed, so that its graph is not known.
        ValueError: it is not built.
    """
    _check_model(model, "strip_masks")
    return rebuild(model, lambda layer: _stock_copy(layer) if type(layer) in STOCK_OF else None, plain=True)


def _check_model(model: Any, function: str) -> None:
    if not is_rebuildable(model):
        raise TypeError(
            f"`{function}` needs a functional or sequential model, whose graph of layers Keras knows; received "
            f"{type(model).__name__!r}, which is subclassed. Build such a model with masked layers instead: "
            "`keras_sparseflow.MaskedDense(units, density=0.1)` in place of `keras.layers.Dense(units)`."
        )
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")


def _maskable(model: keras.Model) -> list[Kernel]:
    """Returns the kernels whose layer can be replaced by a masked one, or is masked, where Keras rebuilds the graph."""
    return [kernel for kernel in kernels_of(model) if _twin_in(kernel) is not None]


def _twin_in(kernel: Kernel) -> keras.layers.Layer | None:
    """Returns the layer on the way to a kernel that has a twin, if nothing around it stands in the way."""
    for layer in kernel.chain:
        if has_twin(layer):
            return layer
        if not (is_rebuildable(layer) or type(layer) in WRAPPERS):
            return None
    return None


def _without_excluded(kernels: list[Kernel], exclude: list[Exclusion]) -> list[Kernel]:
    for item in exclude:
        if not isinstance(item, (str, type)):
            raise TypeError(f"`exclude` must hold names, patterns or classes of layers; received {item!r}.")
        if not any(_matches(kernel, item) for kernel in kernels):
            raise _no_match(kernels, item)
    chosen = [kernel for kernel in kernels if not any(_matches(kernel, item) for item in exclude)]
    if not chosen:
        raise ValueError(f"`exclude` leaves nothing to mask: it matches all {len(kernels)} kernels.")
    return chosen


def _matches(kernel: Kernel, item: Exclusion) -> bool:
    """Returns whether an exclusion names a kernel, its layer, or a layer around it."""
    if isinstance(item, type):
        return any(isinstance(layer, item) for layer in kernel.chain)
    names = kernel.path.split("/")
    around = ["/".join(names[:end]) for end in range(1, len(names) + 1)]
    return any(fnmatch.fnmatchcase(path, item) or fnmatch.fnmatchcase(path, f"*/{item}") for path in around)


def _no_match(kernels: list[Kernel], item: Exclusion) -> ValueError:
    if isinstance(item, type):
        return ValueError(f"`exclude` names {item.__name__}, but no kernel that can be masked is of such a layer.")
    paths = [kernel.path for kernel in kernels]
    near = difflib.get_close_matches(item, paths, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"`exclude` names {item!r}, which no kernel matches; expected one of {', '.join(paths)}.{hint}")


def _check_no_kernel_is_empty(kernels: list[Kernel], counts: dict[str, int], density: float) -> None:
    empty = [f"{kernel.path} (of {math.prod(kernel.shape)})" for kernel in kernels if counts[kernel.path] == 0]
    if empty and density > 0:
        raise ValueError(
            f"`density` {density} leaves {len(empty)} of {len(kernels)} kernels without any active weight: "
            f"{', '.join(empty)}. Choose a higher one, distribution='erk', or exclude them."
        )


def _masked_copy(layer: Any) -> keras.layers.Layer:
    config = layer.get_config()
    if type(layer) in STOCK_OF:
        return type(layer).from_config(config)
    masked: Any = MASKED_OF[type(layer)]
    return masked.from_config({**config, "density": 1.0, "mask_seed": 0})


def _stock_copy(layer: Any) -> keras.layers.Layer:
    stock: Any = STOCK_OF[type(layer)]
    masked_only = ("density", "mask_seed", "mask", "masks", "lora_rank")
    return stock.from_config({name: value for name, value in layer.get_config().items() if name not in masked_only})
