"""Architectures, each described once: their kernels are counted without Keras, their models run on every backend."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "architectures": ("Architecture",),
        "counted_network": ("Features", "KernelUse", "Network"),
        "zoo": ("mlp", "mobilenet", "resnet", "vgg", "wide_resnet"),
    },
)
