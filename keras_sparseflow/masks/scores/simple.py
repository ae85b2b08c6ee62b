"""Mask scores that need neither data nor gradients.

A score is a function `(problem) -> scores` of a `MaskProblem`; the weights with the highest scores are active.
"""

import numpy as np

from keras_sparseflow.masks.scores.problem import MaskProblem


def random_scores(problem: MaskProblem) -> list[np.ndarray]:
    """Returns independent uniform numbers, so that all masks of one count are equally likely.

    Args:
        problem: the problem whose kernels are scored, each by its own random generator.

    Example:
        >>> import keras
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> problem = MaskProblem(model, kernels_of(model), counts=1, generators=[np.random.default_rng(0)])
        >>> random_scores(problem)[0].round(3).tolist()
        [[0.637], [0.27]]
    """
    return [
        generator.random(kernel.shape) for kernel, generator in zip(problem.kernels, problem.generators, strict=True)
    ]


def magnitude_scores(problem: MaskProblem) -> list[np.ndarray]:
    """Returns the absolute values of the weights; minus infinity where the present mask is False.

    Args:
        problem: the problem whose kernels are scored.

    Example:
        >>> import keras
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> problem = MaskProblem(model, kernels_of(model), counts=1, generators=[np.random.default_rng(0)])
        >>> magnitude_scores(problem)[0].tolist()
        [[2.0], [1.0]]
    """
    pairs = zip(problem.kernels, problem.values(), strict=True)
    return [np.abs(values) if k.mask is None else np.where(k.mask, np.abs(values), -np.inf) for k, values in pairs]
