"""Which weights are active: how many in each kernel (distributions), and which of them (scores)."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "collapse": ("CollapseError", "KernelMask", "MaskReport", "mask_report"),
        "distributions": ("all_together", "er", "erk", "kernel_counts", "uniform"),
        "scores.examples": ("samples_per_class",),
        "scores.gradients": ("hessian_products", "loss_gradients"),
        "scores.grasp": ("grasp_scores",),
        "making": ("make_masks", "set_masks"),
        "score_table": ("DISTRIBUTIONS", "SCORES"),
        "scores.problem": ("MaskProblem",),
        "scores.simple": ("magnitude_scores", "random_scores"),
        "selection": ("top_mask", "top_masks"),
        "scores.snip": ("snip_scores",),
        "scores.synflow": ("synflow_scores",),
    },
)
