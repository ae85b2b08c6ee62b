"""Gradient flow: what is measured, of which tensors, and when."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "kernels": ("flow_kernels",),
        "measures": (
            "FlowMeasure",
            "NormMeasure",
            "egf",
            "grad_norm",
            "layer_values",
        ),
        "named": (
            "DEFAULT_MEASURES",
            "MEASURES",
        ),
        "schedule": ("measured_epochs",),
    },
)
