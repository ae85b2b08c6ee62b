"""The loss of a model as a function of its weights, computed without changing the model."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.layers.mask.arrays import apply_mask
from keras_sparseflow.layers.structure import Kernel, check_whole, variables_of
from keras_sparseflow.masks.scores.examples import Batch
from keras_sparseflow.masks.scores.gradients import check_precision, gradients_of_parts, variables_at
from keras_sparseflow.masks.scores.objective import BatchMean, Part, objective_of
from keras_sparseflow.masks.scores.second_derivatives import second_derivatives


class LossAt:
    """The loss of a batch at any values of a model's weights, without regularisation.

    The values replace the weights during the computation only. BatchNorm statistics and random states, which a
    forward pass changes, are put back, so the same values always give the same loss.

    Args:
        model: built, with masked or stock layers.
        loss: a Keras loss, its name or a function, as `keras_sparseflow.masks.scores.objective.objective_of` takes
            it; None for the model's compiled one, else cross-entropy of logits.
        tensors: "all" trained weights or the "kernels" among them.
        training: whether layers such as BatchNorm and dropout run in training mode.

    Attributes:
        weights: by path, such as `hidden/kernel`, each weight with its variable and its mask, if it has one.

    Raises:
        ValueError: the model trains no such weight, computes in float16, stores active weights alone, or has no loss by
            default.
    """

    def __init__(self, model: keras.Model, loss: Any = None, tensors: str = "all", training: bool = False):
        check_precision(model)
        self.weights = weights_by_path(model, tensors)
        check_whole(self.weights.values())
        self._model = model
        self._objective = objective_of(model, loss)
        self._training = training

    def values(self) -> list[tf.Tensor]:
        """Returns the weights as they are now."""
        return [tf.convert_to_tensor(weight.variable) for weight in self.weights.values()]

    def masked(self, tensors: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Returns tensors of the weights' shapes, zero where a mask is False."""
        return [
            tensor if weight.mask is None else apply_mask(tensor, weight.mask)
            for tensor, weight in zip(tensors, self.weights.values(), strict=True)
        ]

    def __call__(self, values: Sequence[tf.Tensor], batch: Batch) -> tf.Tensor:
        """Returns the loss of a batch at these values of the weights, which are zero where a mask is False."""
        return tf.add_n([part.value for part in self.parts(values, batch)])

    def parts(self, values: Sequence[tf.Tensor], batch: Batch) -> list[Part]:
        """Returns this loss in parts that have different weights in a mean over batches."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(batch)
        variables = [weight.variable for weight in self.weights.values()]
        with second_derivatives(), variables_at(variables, values):
            return self._objective.parts(y, self._model(x, training=self._training), sample_weight)

    def gradients(self, values: Sequence[tf.Tensor], batch: Batch) -> list[tf.Tensor]:
        """Returns the gradient of the loss of a batch at these values, zero where a mask is False.

        Raises:
            ValueError: the loss does not depend on one of the weights.
        """
        of_parts = [gradients for gradients, _ in self.gradients_of_parts(values, batch)]
        return [tf.add_n(list(gradients)) for gradients in zip(*of_parts, strict=True)]

    def gradients_of_parts(self, values: Sequence[tf.Tensor], batch: Batch) -> list[tuple[list[tf.Tensor], Any]]:
        """Returns the gradients of each part of the loss, with the part's weight."""
        found = gradients_of_parts(lambda: self.parts(values, batch), values, batch, list(self.weights))
        return [(self.masked(gradients), weight) for gradients, weight in found]

    def over_examples(
        self, batches: Sequence[Batch], of_batch: Callable[[Batch], list[tuple[list[tf.Tensor], Any]]]
    ) -> list[tf.Tensor]:
        """Returns the mean over all examples of the tensors that `of_batch` gives for the parts of a loss."""
        mean = BatchMean()
        for batch in batches:
            mean.add(of_batch(batch), len(keras.tree.flatten(batch)[0]))
        return mean.result()


def weights_by_path(model: keras.Model, tensors: str = "all") -> dict[str, Kernel]:
    """Returns the trained weights of a built model by path.

    Args:
        model: built.
        tensors: "all", or "kernels" for those of dense, convolutional and recurrent layers.

    Raises:
        ValueError: the model trains no such weight, or `tensors` is another word.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="output")])
        >>> list(weights_by_path(model))
        ['output/kernel', 'output/bias']
    """
    chosen = {id(kernel.variable) for kernel in flow_kernels(model, tensors)}
    return {weight.path: weight for weight in variables_of(model) if id(weight.variable) in chosen}


def as_arrays(tensors: Sequence[tf.Tensor]) -> list[np.ndarray]:
    """Returns tensors as arrays."""
    return [tensor.numpy() for tensor in tensors]
