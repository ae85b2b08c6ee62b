"""Labels: names of the quantities of results and flow, in figures, tables and sentences."""

FLOW_NAMES = {
    "egf_1": "EGF (1-norm)",
    "egf_2": "EGF (2-norm)",
    "grad_norm_1": "gradient 1-norm",
    "grad_norm_2": "gradient 2-norm",
}


_DIAGNOSTICS = {
    "top_eigenvalue": "Top Hessian eigenvalue",
    "activation_sparsity": "Activation sparsity",
    "near_zero_activations": "Activations near zero",
}


POINTS = ("runs", "epochs")
"""The points between which flow and performance are ranked: the runs of a configuration, as in the paper's table 1, or
the measured epochs of each run."""


VALUE_NAMES = {"selected_test_accuracy": "Test accuracy at the best validation epoch"}
"""Columns of results that a reader would not understand by their names."""


READING_NAMES = {"end": "end of epoch", "steps": "mean over steps"}


def flow_name(measure: str, reading: str = "") -> str:
    """Returns a flow measure in words, with its reading where that is named.

    Example:
        >>> flow_name("egf_2"), flow_name("egf_2", "end")
        ('EGF (2-norm)', 'EGF (2-norm), end of epoch')
    """
    return FLOW_NAMES.get(measure, measure.replace("_", " ")) + (f", {reading_name(reading)}" if reading else "")


def reading_name(reading: str) -> str:
    """Returns a reading of gradient flow in words: `reading_name("steps")` is "mean over steps"."""
    return READING_NAMES.get(reading, reading)


def measure_label(measure: str, reading: str = "") -> str:
    """Returns the label of an axis along which a flow measure or a diagnostic stands.

    Example:
        >>> measure_label("egf_2"), measure_label("top_eigenvalue")
        ('EGF (2-norm)', 'Top Hessian eigenvalue')
    """
    return _DIAGNOSTICS.get(measure) or flow_name(measure, reading)


def is_share(measure: str) -> bool:
    """Returns whether a measure is a share, in [0, 1]."""
    return measure in ("activation_sparsity", "near_zero_activations")


def value_label(value: str, reading: str = "") -> str:
    """Returns the label of an axis along which a column of the results stands, with its unit or reading.

    Example:
        >>> value_label("test_accuracy"), value_label("test_loss"), value_label("egf_2")
        ('Test accuracy (fraction)', 'Test loss (nats)', 'Average EGF (2-norm)')
    """
    if value in FLOW_NAMES:
        return f"Average {flow_name(value, reading)}"
    unit = {"accuracy": " (fraction)", "loss": " (nats)"}.get(value.rsplit("_", 1)[-1], "")
    return headline(value) + unit


def headline(name: str) -> str:
    """Returns a column's name to begin a heading with: `headline("test_accuracy")` is "Test accuracy"."""
    return VALUE_NAMES.get(name) or name.replace("_", " ").capitalize()
