"""The measurements of a run: gradient flow and diagnostics."""

from dataclasses import dataclass
from typing import Any

from keras_sparseflow.flow.measure_table import READINGS
from keras_sparseflow.studies.spec.fields import OURS, PAPER, TOST, part, spec_field

DIAGNOSTICS = ("top_eigenvalue", "activation_sparsity", "loss_along", "loss_surface")
"""Diagnostics besides flow: the first two along the training, the others of the trained network."""


def _looks_at(*diagnostics: str) -> Any:
    """Returns a condition: that one of these diagnostics is wanted."""
    return lambda values: not set(values["diagnostics"]).isdisjoint(diagnostics)


@dataclass(frozen=True, kw_only=True)
class FlowSpec:
    """Measurement of gradient flow: its measures, tensors and gradient, and its readings of an epoch."""

    flow_measures: tuple[str, ...] = spec_field(
        ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2"), "measures of gradient flow by name", PAPER
    )
    flow_tensors: str = spec_field(
        "kernels", "tensors that count as layers: kernels, or every trainable weight", OURS, choices=("kernels", "all")
    )
    flow_cost: str = spec_field(
        "total", "cost whose gradient is measured: total, with L2, or the data's", OURS, choices=("total", "data")
    )
    flow_readings: tuple[str, ...] = spec_field(
        READINGS,
        "readings of a measured epoch: steps, the mean over its training steps, and end, the mean gradient over all "
        "training images, without augmentation, with the weights that the epoch leaves. Reports judge by the end, as "
        "the paper's text has it, where it is there",
        "the end: Tessera et al. 2021, section 3.1; the steps beside it: ours",
        choices=READINGS,
        fewest=1,
    )
    flow_mode: str | None = spec_field(
        "training",
        "mode of BatchNorm and dropout in the reading end: training, on batches of the training's size, or inference",
        OURS,
        when=lambda values: "end" in values["flow_readings"],
        choices=("training", "inference"),
    )


@dataclass(frozen=True, kw_only=True)
class MeasurementSpec:
    """Gradient flow and diagnostics.

    The part `flow` says how flow is measured, and is None where it is not.

    Example:
        >>> MeasurementSpec(flow_epochs=0, diagnostics=("top_eigenvalue",)).diagnostic_samples
        500
    """

    flow_epochs: int = spec_field(
        11, "number of epochs, evenly spread, in which flow is measured; 0 for none", PAPER, minimum=0
    )
    flow: FlowSpec | None = part(FlowSpec, lambda values: values["flow_epochs"] > 0)
    diagnostics: tuple[str, ...] = spec_field(
        (),
        "measurements besides flow: top_eigenvalue of the loss's Hessian and activation_sparsity, along the "
        "training; of the trained network loss_along the top eigenvector, and loss_surface over a plane of random "
        "directions; none for none",
        TOST,
        choices=DIAGNOSTICS,
    )
    diagnostic_epochs: int | None = spec_field(
        11,
        "number of epochs, evenly spread, in which diagnostics along the training are measured",
        OURS,
        when=_looks_at("top_eigenvalue", "activation_sparsity"),
        minimum=1,
    )
    near_zero: float | None = spec_field(
        None,
        "of activation_sparsity: size up to which activations on test images count as near zero, 0.01 in the code of "
        "ToST's authors; recorded as near_zero_activations beside exact zeros on training images; none: exact zeros "
        "alone",
        OURS,
        when=_looks_at("activation_sparsity"),
        above=0,
    )
    diagnostic_samples: int | None = spec_field(
        500,
        "images that diagnostics look at: of the training set; of the test set for losses around the trained network "
        "and for activations near zero",
        OURS,
        when=lambda values: bool(values["diagnostics"]),
        minimum=1,
    )
    eigenvalue_iterations: int | None = spec_field(
        100,
        "most products with the Hessian by which a top eigenvalue is found",
        "Yao et al. 2020",
        when=_looks_at("top_eigenvalue", "loss_along"),
        minimum=1,
    )
    landscape_steps: int | None = spec_field(
        21,
        "points along each direction at which losses around the trained network are taken, odd",
        OURS,
        when=_looks_at("loss_along", "loss_surface"),
        minimum=3,
    )
