"""Which weights are active: how many in each kernel (distributions), and which of them (scores)."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "collapse": ("CollapseError", "KernelMask", "MaskReport", "mask_report"),
        "distributions": ("all_together", "er", "erk", "kernel_counts", "uniform"),
        "examples": ("samples_per_class",),
        "gradients": ("hessian_products", "loss_gradients"),
        "grasp": ("grasp_scores",),
        "making": ("make_masks", "set_masks"),
        "named": ("DISTRIBUTIONS", "SCORES"),
        "problem": ("MaskProblem",),
        "scores": ("magnitude_scores", "random_scores"),
        "selection": ("top_mask", "top_masks"),
        "snip": ("snip_scores",),
        "synflow": ("synflow_scores",),
    },
)
