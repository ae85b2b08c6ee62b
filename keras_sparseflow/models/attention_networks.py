"""Networks whose tokens attend to each other, as functions that make Keras models."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_sparseflow.checks import takes_density
from keras_sparseflow.models.transformer import VIT

__all__ = ["vit"]


@takes_density
def vit(
    input_shape: Sequence[int],
    classes: int,
    depth: int = 12,
    width: float = 12,
    *,
    patch_size: int = 4,
    heads: int = 4,
    density: float | Mapping[str, float] | None = None,
    dense_ends: bool = False,
    activation: str = "gelu",
    activation_arguments: Mapping[str, Any] | None = None,
    skip_connections: bool = True,
    dropout: float = 0.0,
    l2: float = 0.0,
    seed: int = 0,
    fraction: float = 1.0,
    model_class: type[keras.Model] = keras.Model,
) -> keras.Model:
    """Returns the Vision Transformer of `depth` blocks, which maps images to logits.

    A convolution turns each patch of the image into an embedding of `16 * width` entries. A class token comes first,
    and each place has a learned embedding that is added. A block is LayerNormalization and attention of several heads,
    added to the block's input, then LayerNormalization and a perceptron with `64 * width` hidden units, added as well.
    After the last block the class token is normalised, and classified linearly. All kernels have a bias.

    Layers are named `patches`, `tokens`, `embedding`; in each block `block2_norm1`, `block2_query`, `..._key`,
    `..._value`, `..._heads`, `..._output`, `..._sum1`, `..._norm2`, `..._mlp1`, `..._activation`, `..._mlp2`,
    `..._sum2`; `final_norm`, `class_token`, `flatten` and `output`. The embeddings of places and the class token are no
    kernels, and have no mask.

    Args:
        input_shape: shape of one image, `(height, width, channels)`.
        classes: number of outputs.
        depth: number of blocks, at least 1.
        width: multiplier of 16 entries, also a fraction that makes a whole number of them; 12, 24 and 48 are ViT-Ti,
            ViT-S and ViT-B.
        patch_size: height and width of a patch, in pixels; where patches do not fill an image, it is padded.
        heads: attention heads of each block, which share the entries of an embedding; at any fraction as many.
        density: share of active weights in (0, 1], for every kernel or by name for each; masks are random.
            None for stock layers.
        dense_ends: whether the convolution of patches and the classifier are stock layers, without a density.
        activation: a name in `ACTIVATIONS`.
        activation_arguments: see `activation_layer`.
        skip_connections: whether blocks add their inputs.
        dropout: share in [0, 1) of inputs that are dropped before each block's last kernel.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel.
        seed: seed of initial values, masks and dropout, which are drawn from separate streams.
        fraction: in (0, 1]: embeddings, heads and perceptrons have round(fraction * size) of their entries, at least 1.
        model_class: class of the model, for instance `SparseModel`.

    Raises:
        ValueError: depth, width, patch size or dropout is out of range, heads do not divide an embedding, the
            activation is unknown, or densities do not match the kernels or leave a kernel without active weights.

    Example:
        >>> model = vit((32, 32, 3), 10, depth=2, width=4, density=0.1)
        >>> model.get_layer("block1_query").active_count, model.get_layer("embedding").output.shape
        (410, (None, 65, 64))

    References:
        Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, figure 1. Initial kernels are He normal by fan-in.
    """
    options = dict(locals())
    details = {name: options.pop(name) for name in ("patch_size", "heads")}
    return VIT.build(**options, details=details)
