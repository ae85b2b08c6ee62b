"""Datasets in memory, their batches and their augmentation.

Loading the digits needs no TensorFlow.
"""

from keras_sparseflow.lazy import lazy_names

__getattr__, __dir__, __all__ = lazy_names(
    __name__,
    {
        "augmentation": ("augment",),
        "batches": (
            "batch_indices",
            "ordered_batches",
            "steps_per_epoch",
            "training_batches",
            "whole_batches",
        ),
        "datasets.loading": (
            "DATASETS",
            "data_size",
            "describe",
            "load_images",
        ),
        "images": (
            "ImageArrays",
            "ImageData",
            "augmentation_pad",
        ),
        "datasets.known": ("DataSize",),
    },
)
