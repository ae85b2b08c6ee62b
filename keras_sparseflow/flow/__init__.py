"""Gradient flow: what is measured, of which tensors, and when."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "tensors": ("flow_kernels",),
        "measures": (
            "FlowMeasure",
            "NormMeasure",
            "egf",
            "grad_norm",
            "layer_values",
        ),
        "measure_table": (
            "DEFAULT_MEASURES",
            "MEASURES",
        ),
        "schedule": ("measured_epochs",),
    },
)
