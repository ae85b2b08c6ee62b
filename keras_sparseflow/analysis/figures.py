"""Every figure of a report, in one place: each takes DataFrames and returns a matplotlib figure.

A figure shows the cells of one table, in the order of the paper's tables, or one table of a density
study. Where the data hold nothing that it could show, it raises `NotApplicableError`.
"""

from keras_sparseflow.analysis.figures_activations import activation_functions
from keras_sparseflow.analysis.figures_correlation import flow_against_accuracy
from keras_sparseflow.analysis.figures_density import methods_by_density, variants_by_density
from keras_sparseflow.analysis.figures_density_flow import densities_by_layer, densities_over_epochs
from keras_sparseflow.analysis.figures_density_landscape import densities_along, density_surfaces
from keras_sparseflow.analysis.figures_density_points import densities_against_flow
from keras_sparseflow.analysis.figures_epochs import flow_over_epochs, flow_per_layer, layers_over_epochs
from keras_sparseflow.analysis.figures_files import write_figures
from keras_sparseflow.analysis.figures_landscape import loss_contours, loss_surfaces, losses_along
from keras_sparseflow.analysis.figures_p_values import p_value_heatmap
from keras_sparseflow.analysis.figures_variant import accuracy_by_variant, flow_by_variant
from keras_sparseflow.analysis.figures_width import accuracy_by_width, flow_by_width, variants_by_width
from keras_sparseflow.analysis.frames.labels import FLOW_NAMES
from keras_sparseflow.analysis.panels import NotApplicableError, figure_bytes

__all__ = [
    "FLOW_NAMES",
    "NotApplicableError",
    "accuracy_by_variant",
    "accuracy_by_width",
    "activation_functions",
    "densities_against_flow",
    "densities_along",
    "densities_by_layer",
    "densities_over_epochs",
    "density_surfaces",
    "figure_bytes",
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
]
