"""Layers whose kernels carry a mask; they run on every Keras backend."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "activations": ("ACTIVATIONS",),
        "mask.switches": ("dense_gradients",),
        "mask.arrays": ("random_mask",),
        "convolutions": (
            "MaskedConv1DTranspose",
            "MaskedConv2DTranspose",
            "MaskedConv3DTranspose",
            "MaskedDepthwiseConv1D",
        ),
        "ghost": ("GhostMish", "GhostSkip", "GhostSwish"),
        "masked": (
            "MaskedConv1D",
            "MaskedConv2D",
            "MaskedConv3D",
            "MaskedDense",
            "MaskedDepthwiseConv2D",
            "MaskedEinsumDense",
            "MaskedKernel",
        ),
        "several_kernels": (
            "MaskedGroupQueryAttention",
            "MaskedMultiHeadAttention",
            "MaskedParts",
            "MaskedSeparableConv1D",
            "MaskedSeparableConv2D",
        ),
        "recurrent": ("MaskedGRU", "MaskedLSTM", "MaskedSimpleRNN"),
        "structure": ("Kernel", "kernels_of"),
    },
)
