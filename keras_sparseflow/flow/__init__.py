"""Gradient flow: what is measured, of which tensors, and when."""

from keras_sparseflow.flow.kernels import FlowKernel, flow_kernels
from keras_sparseflow.flow.measures import DEFAULT_MEASURES, MEASURES, FlowMeasure, egf, grad_norm
from keras_sparseflow.flow.schedule import measured_epochs

__all__ = [
    "DEFAULT_MEASURES",
    "MEASURES",
    "FlowKernel",
    "FlowMeasure",
    "egf",
    "flow_kernels",
    "grad_norm",
    "measured_epochs",
]
