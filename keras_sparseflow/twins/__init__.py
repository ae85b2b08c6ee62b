"""Any Keras model's masked twin and back, what it holds, and files as small as their active weights."""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "conversion": ("sparsify", "strip_masks"),
        "export": ("load_compressed", "save_compressed"),
        "ghosts": ("ghostify", "strip_ghosts"),
        "summary": ("KernelSummary", "SparsitySummary", "sparsity_summary"),
    },
)
