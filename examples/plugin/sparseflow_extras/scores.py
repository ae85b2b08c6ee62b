"""Mask scores."""

import numpy as np

from keras_sparseflow.masks import MaskProblem


def lamp(problem: MaskProblem) -> list[np.ndarray]:
    """Returns w^2 over the sum of all v^2 of its kernel that are no smaller: each kernel's largest weight has score 1.

    Args:
        problem: whose kernels are scored; weights that a mask has removed already come last.

    References:
        Lee, Park, Mo, Ahn, Shin 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning", eq. 4.
    """
    pairs = zip(problem.kernels, problem.values(), strict=True)
    return [_scores(values) if k.mask is None else np.where(k.mask, _scores(values), -np.inf) for k, values in pairs]


def _scores(values: np.ndarray) -> np.ndarray:
    squares = np.square(values.ravel().astype("float64"))
    order = np.argsort(squares, kind="stable")
    left = np.cumsum(squares[order][::-1])[::-1]  # of each weight and all that come after it
    scores = np.zeros_like(squares)
    scores[order] = np.divide(squares[order], left, out=np.zeros_like(left), where=left > 0)
    return scores.reshape(values.shape)
