"""Mask scores: what ranks the weights of a kernel; those with the highest scores are active.

A score is a function `(kernel, generator) -> scores` of the kernel's shape; `SCORES` names them.
"""

import numpy as np

from keras_sparseflow.plugins import Table


def random_scores(kernel: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns independent uniform numbers: every mask of one count is as likely as any other."""
    return generator.random(kernel.shape)


def magnitude_scores(kernel: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Returns the absolute values of the weights."""
    return np.abs(kernel)


SCORES = Table(
    "mask score",
    "keras_sparseflow.scores",
    {
        "random": "keras_sparseflow.masks.scores:random_scores",
        "magnitude": "keras_sparseflow.masks.scores:magnitude_scores",
    },
)
"""Functions `(kernel, generator) -> scores`; the generator is of the kernel's own stream."""
