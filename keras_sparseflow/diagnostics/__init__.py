"""What a network's loss looks like around its weights, and how sparse its activations are: ToST's diagnostics."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "activations": ("activation_sparsity",),
        "callbacks": (
            "ActivationSparsity",
            "TopEigenvalue",
        ),
        "hessian": (
            "Eigenpair",
            "Hessian",
        ),
        "landscape": (
            "loss_along",
            "loss_surface",
            "random_directions",
        ),
    },
)
