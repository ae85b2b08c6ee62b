"""The table of activation functions by name."""

from keras_sparseflow.plugins import Table

_FUNCTIONS = (
    "relu", "elu", "swish", "gelu", "mish", "tanh", "sigmoid", "celu", "exponential", "hard_shrink", "hard_sigmoid",
    "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "relu6", "selu",
    "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax",
    "squareplus", "tanh_shrink",
)  # fmt: skip
"""All of `keras.activations` but `glu`, which halves a tensor, and `threshold`, which needs arguments."""

ACTIVATIONS = Table(
    "activation",
    "keras_sparseflow.activation",
    {
        **{name: f"keras.activations:{name}" for name in _FUNCTIONS},
        "prelu": "keras_sparseflow.layers.rectifiers:PReLU",
        "srelu": "keras_sparseflow.layers.rectifiers:SReLU",
    },
    expects="callable",
)
"""Each entry is a function of a tensor, or a class of Keras layers; each use makes a new layer."""
