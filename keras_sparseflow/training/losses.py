"""Losses of a classifier's logits that Keras has only under other arguments."""

import keras
from keras import ops


def cross_entropy() -> keras.losses.Loss:
    """Returns softmax cross-entropy, mean over the batch, in nats."""
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@keras.saving.register_keras_serializable("keras_sparseflow")
class SquaredError(keras.losses.Loss):
    """Squared distance of the logits from the label's one-hot vector, summed over classes, mean over the batch.

    References:
        Hui & Belkin 2021, Evaluation of Neural Architectures Trained with Square Loss vs Cross-Entropy.
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        labels = ops.reshape(y_true, ops.shape(y_pred)[:-1])
        return ops.sum(ops.square(y_pred - ops.one_hot(labels, y_pred.shape[-1], dtype=y_pred.dtype)), axis=-1)
