"""The loss around a network's weights: along one direction, and over a plane of two."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from keras_sparseflow.checks import check_seed
from keras_sparseflow.diagnostics.example_batches import batches_of
from keras_sparseflow.diagnostics.filters import filter_axes, filter_normalised
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.masks.scores.examples import Batch
from keras_sparseflow.masks.scores.objective import weight_in
from keras_sparseflow.masks.scores.tracing import graph_function
from keras_sparseflow.training.tost.loss_at import LossAt, weights_by_path

Direction = Mapping[str, Any]
"""The move of each weight by path, such as `hidden/kernel`; weights that are not named stay."""


def random_directions(model: keras.Model, count: int = 2, seed: int = 0) -> list[dict[str, np.ndarray]]:
    """Returns filter-normalised random directions: normal entries, each filter scaled to the norm of the weights'.

    Only trained kernels have directions, and masked entries are zero. With the norms of the weights, one unit of
    distance means the same for networks whose weights differ in scale.

    Args:
        model: built, with masked or stock layers.
        count: at least 1.
        seed: int, at least 0.

    Returns:
        The directions, each by path such as `hidden/kernel`, of the kernels' shapes.

    Raises:
        ValueError: `count` is out of its range, or the model trains no kernel.

    Example:
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2, name="output")])
        >>> (direction,) = random_directions(model, count=1)
        >>> kernels = direction["output/kernel"], model.layers[0].kernel.numpy()
        >>> bool(np.allclose(*[np.linalg.norm(kernel, axis=0) for kernel in kernels], rtol=1e-5))
        True

    References:
        Li, Xu, Taylor, Studer, Goldstein 2018, Visualizing the Loss Landscape of Neural Nets, section 4.
    """
    if count < 1:
        raise ValueError(f"`count` must be at least 1; received {count}.")
    weights = weights_by_path(model, "kernels")
    generator = np.random.default_rng(check_seed(seed))
    directions = []
    for _ in range(count):
        direction = {}
        for path, weight in weights.items():
            values = keras.ops.convert_to_numpy(weight.variable).astype(np.float64)
            drawn = generator.standard_normal(values.shape)
            if weight.mask is not None:
                drawn = np.where(keras.ops.convert_to_numpy(weight.mask), drawn, 0.0)
            direction[path] = filter_normalised(drawn, values, filter_axes(weight))
        directions.append(direction)
    return directions


def loss_along(
    model: keras.Model,
    data: Any,
    direction: Direction,
    span: float = 0.5,
    steps: int = 21,
    loss: Any = None,
    training: bool = False,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Returns the loss at weights moved along a direction, such as the eigenvector that `Hessian` finds.

    Args:
        model: built; it stays as it is.
        data: as `Hessian` takes it.
        direction: by path, the move of each weight; masked entries stay zero. It is not normalised.
        span: above 0, the largest distance, in multiples of the direction.
        steps: at least 3 and odd, so that the weights themselves are among them.
        loss: None for the model's compiled one, else cross-entropy of logits.
        training: whether layers such as BatchNorm and dropout run in training mode.
        batch_size: examples in a batch where data are arrays.
        progress: called with the number of losses computed and the number of all.

    Returns:
        The columns `distance`, from -span to span, and `loss`, the mean over all examples.

    Raises:
        ValueError: an argument out of its range, or a direction of other weights or shapes.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="output")])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> direction = {"output/kernel": np.array([[1.0], [0.0]])}
        >>> loss_along(model, data, direction, span=1.0, steps=3, loss="mse").values.tolist()
        [[-1.0, 9.0], [0.0, 16.0], [1.0, 25.0]]

    References:
        Jaiswal et al. 2022, Training Your Sparse Neural Network Better with Any Mask, figure 8, after Yao et al. 2020.
    """
    check_tensorflow("loss_along")
    distances = _distances(span, steps)
    losses = _losses(model, data, [direction], distances[:, None], loss, training, batch_size, progress)
    return pd.DataFrame({"distance": distances, "loss": losses})


def loss_surface(
    model: keras.Model,
    data: Any,
    directions: Sequence[Direction] | None = None,
    span: float = 1.0,
    steps: int = 21,
    seed: int = 0,
    loss: Any = None,
    training: bool = False,
    batch_size: int = 256,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Returns the loss over a plane through the weights, on a grid of steps x steps points.

    Args:
        model: built; it stays as it is.
        data: as `Hessian` takes it.
        directions: the two that span the plane; None for filter-normalised random ones, see `random_directions`.
        span: above 0, the largest distance along each direction.
        steps: at least 3 and odd, points along each direction.
        seed: seed of random directions.
        loss: as for `loss_along`.
        training: as for `loss_along`.
        batch_size: as for `loss_along`.
        progress: as for `loss_along`.

    Returns:
        The columns `x` and `y`, distances along the first and the second direction, and `loss`; x changes fastest.

    Raises:
        ValueError: an argument out of its range, not two directions, or directions of other weights or shapes.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="output")])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> right, up = ({"output/kernel": np.array(step)} for step in ([[1.0], [0.0]], [[0.0], [1.0]]))
        >>> loss_surface(model, data, (right, up), steps=3, loss="mse")["loss"].tolist()
        [0.0, 1.0, 4.0, 9.0, 16.0, 25.0, 36.0, 49.0, 64.0]

    References:
        Li, Xu, Taylor, Studer, Goldstein 2018, Visualizing the Loss Landscape of Neural Nets, section 4; Jaiswal et
        al. 2022, figure 10.
    """
    check_tensorflow("loss_surface")
    if directions is not None and len(directions) != 2:
        raise ValueError(f"`directions` must be two; received {len(directions)}.")
    distances = _distances(span, steps)
    points = np.array([(x, y) for y in distances for x in distances])
    chosen = random_directions(model, 2, seed) if directions is None else directions
    losses = _losses(model, data, chosen, points, loss, training, batch_size, progress)
    return pd.DataFrame({"x": points[:, 0], "y": points[:, 1], "loss": losses})


def _distances(span: float, steps: int) -> np.ndarray:
    if not span > 0:
        raise ValueError(f"`span` must be above 0; received {span}.")
    if steps < 3 or steps % 2 == 0:
        raise ValueError(f"`steps` must be odd and at least 3; received {steps}.")
    half = np.linspace(0, span, steps // 2 + 1)
    return np.concatenate([-half[:0:-1], half])


def _losses(
    model: keras.Model,
    data: Any,
    directions: Sequence[Direction],
    points: np.ndarray,
    loss: Any,
    training: bool,
    batch_size: int,
    progress: Callable[[int, int], None] | None,
) -> np.ndarray:
    """Returns the mean loss over all examples at points of shape `(points, directions)`."""
    loss_at, batches = LossAt(model, loss, training=training), batches_of(data, batch_size)
    moves = [_as_tensors(direction, loss_at) for direction in directions]

    def at_point(point: tf.Tensor, moves: list[list[tf.Tensor]], batch: Batch) -> list[tuple[list[tf.Tensor], Any]]:
        values = loss_at.values()
        for place, direction in enumerate(moves):
            values = [v + tf.cast(point[place], v.dtype) * d for v, d in zip(values, direction, strict=True)]
        parts = loss_at.parts(loss_at.masked(values), batch)
        return [([part.value], weight_in(part, batch)) for part in parts]

    compiled, losses = graph_function(at_point), np.empty(len(points))
    for index, point in enumerate(points):
        place = tf.constant(point)
        (value,) = loss_at.over_examples(batches, lambda batch: compiled(place, moves, batch))  # noqa: B023
        losses[index] = float(value)
        if progress is not None:
            progress(index + 1, len(points))
    return losses


def _as_tensors(direction: Direction, loss_at: LossAt) -> list[tf.Tensor]:
    """Returns a direction's part of every weight, zeros for those that it does not name."""
    shapes = {path: tuple(weight.variable.shape) for path, weight in loss_at.weights.items()}
    for path, part in direction.items():
        if shapes.get(path) != np.shape(part):
            raise ValueError(
                "A direction must name weights that the model trains, and have their shapes: expected "
                f"{shapes.get(path, 'none')} for {path!r}; received {np.shape(part)}."
            )
    return [
        tf.convert_to_tensor(direction[path], weight.variable.dtype)
        if path in direction
        else tf.zeros(shapes[path], weight.variable.dtype)
        for path, weight in loss_at.weights.items()
    ]
