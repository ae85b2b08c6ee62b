"""Mask scores that need neither data nor gradients.

A score is a function `(problem) -> scores` of a `MaskProblem`; the weights with the highest scores are active.
"""

import numpy as np

from keras_sparseflow.masks.problem import MaskProblem


def random_scores(problem: MaskProblem) -> list[np.ndarray]:
    """Returns independent uniform numbers: every mask of one count is as likely as any other."""
    return [
        generator.random(kernel.shape) for kernel, generator in zip(problem.kernels, problem.generators, strict=True)
    ]


def magnitude_scores(problem: MaskProblem) -> list[np.ndarray]:
    """Returns the absolute values of the weights; those that a mask has removed already come last."""
    pairs = zip(problem.kernels, problem.values(), strict=True)
    return [np.abs(values) if k.mask is None else np.where(k.mask, np.abs(values), -np.inf) for k, values in pairs]
