"""The score of SNIP: how strongly the loss would change if a weight were scaled."""

import numpy as np

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.masks.scores.gradients import loss_gradients
from keras_sparseflow.masks.scores.problem import MaskProblem


def snip_scores(problem: MaskProblem) -> list[np.ndarray]:
    """Returns abs(w * dL/dw) for the loss L of the problem's data, without regularisation.

    Gradients are summed over all batches before the absolute value is taken. The paper compares scores across
    all layers: `distribution="global"`.

    Args:
        problem: a problem with data, one batch or a few.

    Raises:
        ValueError: see `loss_gradients`.

    Example:
        >>> import keras
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> problem = MaskProblem(model, kernels_of(model), 1, (), data, "mse")
        >>> snip_scores(problem)[0].tolist()
        [[16.0], [24.0]]

    References:
        Lee, Ajanthan, Torr 2019, SNIP: Single-shot Network Pruning based on Connection Sensitivity,
        section 4; its division by the sum of all scores changes no ranking and is left out.
    """
    check_tensorflow("snip_scores")
    gradients = loss_gradients(problem)
    return [np.abs(values * gradient) for values, gradient in zip(problem.values(), gradients, strict=True)]
