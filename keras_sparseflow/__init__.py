"""Sparse neural networks in Keras: masked layers, effective gradient flow, matched-capacity studies.

Public names load when they are first used, so that importing the package is fast and the run store
and the analysis work where TensorFlow is not installed.
"""

from keras_sparseflow.lazy import lazy_names
from keras_sparseflow.registered import register_when_keras_loads

__version__ = "0.1.0"

register_when_keras_loads()

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "layers": (
            "MaskedConv1D",
            "MaskedConv2D",
            "MaskedConv3D",
            "MaskedDense",
            "MaskedDepthwiseConv2D",
            "MaskedEinsumDense",
            "dense_gradients",
        ),
        "flow": ("egf", "grad_norm", "measured_epochs"),
        "data": ("load_images",),
        "plugins": ("register",),
        "models": ("mlp", "mobilenet", "resnet", "vgg", "wide_resnet"),
        "twins": (
            "ghostify",
            "load_compressed",
            "save_compressed",
            "sparsify",
            "sparsity_summary",
            "strip_ghosts",
            "strip_masks",
        ),
        "masks": ("make_masks", "mask_report", "set_masks"),
        "diagnostics": ("ActivationSparsity", "TopEigenvalue", "activation_sparsity", "loss_along", "loss_surface"),
        "training": (
            "GhostSchedule",
            "GradientFlow",
            "GradualMagnitude",
            "MagnitudePruning",
            "RewindPoint",
            "RigL",
            "SET",
            "SparseModel",
            "flow_of_gradients",
            "measure_flow",
            "rescale_init",
            "rewind",
        ),
    },
)
