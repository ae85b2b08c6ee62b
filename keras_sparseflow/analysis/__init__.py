"""The analysis room: pure functions from DataFrames to DataFrames, figures and a report.

Nothing here loads TensorFlow or Keras, so results can be read anywhere. Public names load lazily:
SciPy, matplotlib and jinja2 are imported when something that needs them is first asked for.
"""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "cells": (
            "arrange",
            "cell_columns",
        ),
        "agreement": (
            "Agreement",
            "agreement_sentences",
        ),
        "bootstrap": (
            "bootstrap_by",
            "bootstrap_mean",
        ),
        "claims": ("Claim",),
        "correlation": (
            "correlate_cells",
            "correlate_flow",
            "kendall_tau",
            "with_published_tau",
        ),
        "density": (
            "arrange_densities",
            "mean_by_density",
        ),
        "density_comparison": (
            "compare_densities",
            "correlate_densities",
        ),
        "l2_effect": ("effect_of_l2",),
        "pairs": (
            "mean_by_width",
            "pair_arms",
        ),
        "statistics": (
            "SignedRankTest",
            "compare_arms",
            "holm",
            "wilcoxon_signed_rank",
        ),
        "published": (
            "load_kendall_tau",
            "PublishedCell",
            "load_p_values",
            "published_cell",
            "published_p_value",
            "with_published",
        ),
        "published_tost": ("beside_published_tost", "load_tost_accuracies"),
        "figures": (
            "NotApplicableError",
            "accuracy_by_variant",
            "accuracy_by_width",
            "activation_functions",
            "densities_against_flow",
            "densities_along",
            "densities_by_layer",
            "densities_over_epochs",
            "density_surfaces",
            "flow_against_accuracy",
            "flow_by_variant",
            "flow_by_width",
            "flow_over_epochs",
            "flow_per_layer",
            "layers_over_epochs",
            "loss_contours",
            "loss_surfaces",
            "losses_along",
            "methods_by_density",
            "p_value_heatmap",
            "variants_by_density",
            "variants_by_width",
            "write_figures",
        ),
        "panels": ("figure_bytes",),
        "report": ("write_report",),
        "sources": ("Source",),
        "tables": ("tabulate", "write_tables"),
    },
)
