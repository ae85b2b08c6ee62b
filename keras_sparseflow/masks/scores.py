"""Mask scores by name, and those that need neither data nor gradients.

A score is a function `(problem) -> scores` of a `MaskProblem`; the weights with the highest scores are active.
"""

import numpy as np

from keras_sparseflow.masks.problem import MaskProblem
from keras_sparseflow.plugins import Table


def random_scores(problem: MaskProblem) -> list[np.ndarray]:
    """Returns independent uniform numbers: every mask of one count is as likely as any other."""
    return [
        generator.random(kernel.shape) for kernel, generator in zip(problem.kernels, problem.generators, strict=True)
    ]


def magnitude_scores(problem: MaskProblem) -> list[np.ndarray]:
    """Returns the absolute values of the weights."""
    return [np.abs(values) for values in problem.values()]


SCORES = Table(
    "mask score",
    "keras_sparseflow.scores",
    {
        "random": "keras_sparseflow.masks.scores:random_scores",
        "magnitude": "keras_sparseflow.masks.scores:magnitude_scores",
        "snip": "keras_sparseflow.masks.snip:snip_scores",
        "grasp": "keras_sparseflow.masks.grasp:grasp_scores",
        "synflow": "keras_sparseflow.masks.synflow:synflow_scores",
    },
)
"""Functions `(problem) -> scores`, an array of each kernel's shape."""
