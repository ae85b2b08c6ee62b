"""Which weights are active: how many in each kernel (distributions), and which of them (scores)."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "distributions": ("DISTRIBUTIONS", "erk", "uniform"),
        "scores": ("SCORES", "magnitude_scores", "random_scores"),
        "selection": ("top_mask",),
    },
)
