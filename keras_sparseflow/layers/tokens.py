"""Layers of transformers that have no kernel: the embedding of tokens, and the attention of heads."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_sparseflow")
class TokenEmbedding(keras.layers.Layer):
    """Puts a class token before a sequence, and adds to each token the embedding of its place; both are learned.

    Args:
        seed: int, seed of the embeddings of places, which start normal with deviation 0.02; the class token starts at
            zero.
        **options: arguments of `keras.layers.Layer`.

    Example:
        >>> tuple(TokenEmbedding(seed=0)(ops.ones((2, 16, 8))).shape)
        (2, 17, 8)

    References:
        Dosovitskiy et al. 2021, An Image is Worth 16x16 Words, eq. 1; initial values as in the authors' code.
    """

    def __init__(self, seed: int | None = None, **options: Any):
        super().__init__(**options)
        self.seed = seed

    def build(self, input_shape: tuple[int | None, int, int]) -> None:
        _, places, size = input_shape
        normal = keras.initializers.RandomNormal(stddev=0.02, seed=self.seed)
        self.class_token = self.add_weight(shape=(1, size), initializer="zeros", name="class_token")
        self.places = self.add_weight(shape=(places + 1, size), initializer=normal, name="places")

    def call(self, inputs: Any) -> Any:
        token = ops.broadcast_to(self.class_token, (ops.shape(inputs)[0], *self.class_token.shape))
        return ops.concatenate([token, inputs], axis=1) + self.places

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable("keras_sparseflow")
class HeadAttention(keras.layers.Layer):
    """Scaled dot-product attention of several heads to queries, keys and values that other layers have projected.

    Args:
        heads: number of heads, by which the last axis of each input is divided.
        **options: arguments of `keras.layers.Layer`.

    Example:
        >>> values = ops.ones((2, 17, 8))
        >>> tuple(HeadAttention(heads=4)([values, values, values]).shape)
        (2, 17, 8)

    References:
        Vaswani et al. 2017, Attention Is All You Need, eq. 1.
    """

    def __init__(self, heads: int, **options: Any):
        super().__init__(**options)
        self.heads = heads

    def call(self, inputs: Any) -> Any:
        query, key, value = (ops.reshape(x, (-1, x.shape[1], self.heads, x.shape[-1] // self.heads)) for x in inputs)
        return ops.reshape(ops.dot_product_attention(query, key, value), (-1, *inputs[0].shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "heads": self.heads}
