"""The score of SynFlow: the share of all paths from inputs to outputs that runs through a weight."""

import keras
import numpy as np

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.tokens import HeadAttention
from keras_sparseflow.masks.absolute import absolute_flow, check_flow
from keras_sparseflow.masks.scores.problem import MaskProblem


def synflow_scores(problem: MaskProblem, rounds: int = 100) -> list[np.ndarray]:
    """Returns abs(w * dR/dw) of the last round of pruning; minus infinity where an earlier round pruned.

    R is the sum of the outputs of the network with absolute weights for inputs of ones. Of N weights, round k of n
    leaves N - int((1 - density^(k / n)) N), as in the authors' code; the last round leaves the exact count. Data are
    needed only if the model does not know its input shapes.

    Args:
        problem: a problem whose network gives logits, with activations that do not saturate, such as ReLU.
        rounds: at least 1; 100 in the paper.

    Raises:
        ValueError: `rounds` is out of range, the network is a `vit`, the input shapes are unknown, R exceeds float64,
            or nothing flows through a kernel, as an activation is constant or too few weights are left for any path.

    Example:
        >>> import keras
        >>> from keras_sparseflow.layers.structure import kernels_of
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> problem = MaskProblem(model, kernels_of(model), counts=1, generators=[np.random.default_rng(0)])
        >>> synflow_scores(problem, rounds=1)[0].tolist()
        [[2.0], [1.0]]

    References:
        Tanaka, Kunin, Yamins, Ganguli 2020, Pruning neural networks without any data by iteratively conserving
        synaptic flow, algorithm 1.
    """
    check_tensorflow("synflow_scores")
    if rounds < 1:
        raise ValueError(f"`rounds` must be at least 1; received {rounds}.")
    _refuse_heads(problem.model)
    flow = absolute_flow(problem.model, problem.kernels, None if problem.data is None else problem.batches[0][0])
    weights = [np.abs(values, dtype=np.float64) for values in problem.values()]
    removed = [np.zeros(values.shape, dtype=bool) for values in weights]
    # Each round scores the weights that are left, and removes the lowest for good, down to a density that falls
    # geometrically. The scores of each layer have about the same sum, so the fewer weights a layer has left, the higher
    # they score. A single round at low density would empty whole layers: those with the most weights score lowest.
    for number in range(1, rounds + 1):
        scores = flow(weights)
        check_flow(problem.model, scores)
        if number == 1:
            _check_each(problem, scores)
        for array, gone in zip(scores, removed, strict=True):
            array[gone] = -np.inf
        if number < rounds:
            removed = [~mask for mask in problem.select(scores, number / rounds)]
            for values, gone in zip(weights, removed, strict=True):
                values[gone] = 0
    return scores


def _refuse_heads(model: keras.Model) -> None:
    """Raises ValueError for a `vit`: embeddings of places, which are small, are all that tells its tokens apart."""
    heads = next((layer for layer in model._flatten_layers() if isinstance(layer, HeadAttention)), None)
    if heads is not None:
        raise ValueError(
            "`score` must be another than SynFlow, such as 'snip', for a network with attention; received "
            f"{model.name!r} with the {type(heads).__name__} {heads.name!r}. SynFlow sends ones through the network: "
            "tokens that are alike get equal shares of attention with any queries and keys, so that next to "
            "nothing flows through the kernels of these."
        )


def _check_each(problem: MaskProblem, scores: list[np.ndarray]) -> None:
    """Raises ValueError if a kernel that is not zero has no flow, so that its weights cannot be ranked."""
    largest = max(float(array.max(initial=0)) for array in scores)
    idle = [
        kernel.path
        for kernel, array, values in zip(problem.kernels, scores, problem.values(), strict=True)
        if values.any() and array.max() <= 1e-12 * largest  # not zero but for rounding
    ]
    if idle:
        raise ValueError(
            f"SynFlow cannot rank the weights of {', '.join(map(repr, idle))}: for inputs of ones nothing flows "
            "through them. Queries and keys of an attention only share out a weight of one among tokens, which are "
            "equal for such inputs, so outputs do not depend on them; elsewhere no path is left, or an activation is "
            f"constant. Leave them out by `exclude={idle}`, or take another score."
        )
