"""A stock model's masked twin, and a masked model's stock one."""

from collections.abc import Iterable
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.layers.structure import Kernel, is_rebuildable, kernels_of
from keras_sparseflow.masks.making import Distribution, make_masks, set_masks
from keras_sparseflow.masks.scores.problem import Score
from keras_sparseflow.masks.which_kernels import Exclusion
from keras_sparseflow.twins.kinds import MASKED_OF, STOCK_OF, has_twin
from keras_sparseflow.twins.rebuilding import WRAPPERS, rebuild


@takes_density
def sparsify(
    model: keras.Model,
    density: float | None = None,
    distribution: Distribution = "uniform",
    score: str | Score = "random",
    seed: int = 0,
    exclude: Exclusion | Iterable[Exclusion] = (),
    *,
    data: Any = None,
    loss: Any = None,
    training: bool = True,
    batch_size: int = 256,
    allow_collapse: bool = False,
) -> keras.Model:
    """Returns the masked twin of a model: the same graph, names and weights, with a mask on each kernel.

    Dense, convolutional (transposed, depthwise and separable too), `EinsumDense`, attention and
    recurrent layers get masked twins, also in nested models, `TimeDistributed` and `Bidirectional`.
    Other layers and all biases are copied as they are; `sparsity_summary` names those that hold
    matrices. The model itself is not changed. The twin is not compiled. At density 1 its outputs are
    the model's. Masks that the model has already are replaced.

    Args:
        model: functional or sequential, built.
        density: float in [0, 1], of the kernels that are not excluded; None where the distribution gives counts.
        distribution: a name in `keras_sparseflow.masks.DISTRIBUTIONS`: "uniform" (round(density * size)
            in each kernel), "erk" (larger kernels are sparser; exact in total), "er" or "global"; or active
            weights for each kernel by path. See `make_masks`.
        score: a name in `keras_sparseflow.masks.SCORES`: "random", "magnitude", "snip", "grasp", "synflow". The
            weights with the highest scores are active, the first among equals.
        seed: int, at least 0, what random masks depend on, together with the kernel's place in the model.
        exclude: kernels that are left as they are: names or paths of layers, patterns of these
            (`"block_*"`, `"*/query"`), or classes of layers; one or several.
        data: arrays `(x, y)`, or a `tf.data.Dataset` of batches, for scores that look at examples.
        loss: see `make_masks`, as are the following; None for the model's own.
        training: whether BatchNorm runs in training mode where SNIP and GraSP take gradients.
        batch_size: examples of arrays taken at once.
        allow_collapse: whether a kernel may be left without any active weight.

    Raises:
        TypeError: the model is subclassed, so that its graph is not known.
        ValueError: the model is not built or has nothing to mask, the density is not a fraction or
            leaves a kernel with no active weight, a name is unknown, an exclusion matches nothing, or the score
            cannot be computed.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10), keras.layers.Dense(2, name="head")])
        >>> twin = sparsify(model, density=0.25, exclude="head")
        >>> twin.layers[0].active_count
        20
    """
    _check_model(model, "sparsify")
    candidates = _maskable(model)
    if not candidates:
        raise ValueError(
            f"Model {model.name!r} has no kernel that can be masked: expected a dense, convolutional, "
            "attention or recurrent layer."
        )
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
        exclude=exclude,
        allow_collapse=allow_collapse,
        kernels=candidates,
    )
    chosen = [kernel for kernel in candidates if kernel.path in masks]
    to_replace = {id(layer) for kernel in chosen for layer in kernel.chain if has_twin(layer)}
    twin = rebuild(model, lambda layer: _masked_copy(layer) if id(layer) in to_replace else None)
    set_masks(twin, masks)
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

    Example:
        >>> from keras_sparseflow import MaskedDense
        >>> model = keras.Sequential([keras.Input((8,)), MaskedDense(4, density=0.25, mask_seed=0)])
        >>> stock = strip_masks(model)
        >>> type(stock.layers[0]).__name__, int((stock.get_weights()[0] != 0).sum())
        ('Dense', 8)
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
