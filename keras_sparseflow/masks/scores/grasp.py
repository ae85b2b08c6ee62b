"""The score of GraSP: it keeps the weights whose removal would reduce the gradient flow."""

import numpy as np

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.masks.scores.gradients import hessian_products, loss_gradients
from keras_sparseflow.masks.scores.problem import MaskProblem


def grasp_scores(problem: MaskProblem, temperature: float = 200.0) -> list[np.ndarray]:
    """Returns w * (H g) for each weight w; the weights with the largest scores are kept.

    g is the gradient of the loss with respect to the problem's kernels, held constant, and H the Hessian of the
    loss. The paper removes the weights of largest S = -w * (H g), which to first order and up to a factor is the
    change of the squared norm of the gradient when a weight is removed. Signs count: a weight with a negative
    score hinders the flow.

    Args:
        problem: a problem with data, in the paper 10 examples of each class; see `samples_per_class`.
        temperature: above 0; logits are divided by it; 200 in the published code.

    Raises:
        ValueError: see `hessian_products`.

    Example:
        >>> import keras
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> problem = MaskProblem(model, kernels_of(model), 1, (), data, "mse")
        >>> grasp_scores(problem, temperature=1.0)[0].tolist()
        [[320.0], [480.0]]

    References:
        Wang, Zhang, Grosse 2020, Picking Winning Tickets Before Training by Preserving Gradient Flow, eq. 8
        and algorithm 1.
    """
    check_tensorflow("grasp_scores")
    gradients = loss_gradients(problem, temperature)
    products = hessian_products(problem, gradients, temperature)
    return [values * product for values, product in zip(problem.values(), products, strict=True)]
