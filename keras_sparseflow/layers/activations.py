"""Activation functions that can be named."""

from keras_sparseflow.plugins import Table

ACTIVATIONS = Table(
    "activation",
    "keras_sparseflow.activations",
    {name: f"keras.activations:{name}" for name in ("relu", "elu", "swish", "gelu", "mish", "tanh", "sigmoid")},
)
"""Each is a function of a tensor, or a class of Keras layers that is made once per use."""
