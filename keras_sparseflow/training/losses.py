"""Losses of a classifier's logits: cross-entropy, with smoothed labels too, and squared error."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import keras
from keras import ops

SHARED_OVER = ("all", "others")
"""Classes that share the probability which smoothing takes from the label: all, or all but the label."""

_hard_labels: ContextVar[bool] = ContextVar("hard_labels", default=False)


def cross_entropy() -> keras.losses.Loss:
    """Returns softmax cross-entropy, mean over the batch, in nats.

    Example:
        >>> round(float(cross_entropy()(ops.array([1]), ops.zeros((1, 4)))), 4)
        1.3863
    """
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@contextlib.contextmanager
def hard_labels() -> Iterator[None]:
    """Turns label smoothing off inside the context; `SparseModel` evaluates in it.

    Example:
        >>> loss = SmoothedCrossEntropy(0.1)
        >>> labels, logits = ops.array([0]), ops.array([[9.0, 0.0]])
        >>> with hard_labels():
        ...     hard = float(loss(labels, logits))
        >>> round(hard, 4), round(float(loss(labels, logits)), 4)
        (0.0001, 0.4501)
    """
    token = _hard_labels.set(True)
    try:
        yield
    finally:
        _hard_labels.reset(token)


@keras.saving.register_keras_serializable("keras_sparseflow")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Softmax cross-entropy of smoothed labels and logits, mean over the batch, in nats.

    With K classes, `over` "all" makes the label's target 1 - a + a / K and every other one's a / K, as in the text
    of both papers. `over` "others" makes them 1 - a and a / (K - 1), as in the code of the second. A `SparseModel`
    validates and evaluates with unsmoothed labels; any other Keras model smooths them there too.

    Args:
        label_smoothing: a, in [0, 1].
        over: classes that share a: "all", or the "others", without the label's own.
        **options: other arguments of a Keras loss.

    Raises:
        ValueError: `label_smoothing` is out of its range, or `over` unknown; when it is called, `over` is "others"
            and there is a single class.

    Example:
        >>> loss = SmoothedCrossEntropy(label_smoothing=0.2)
        >>> round(float(loss(ops.array([1]), ops.array([[0.0, 2.0]]))), 4)
        0.3269

    References:
        Szegedy et al. 2016, Rethinking the Inception Architecture, section 7; Jaiswal et al. 2022, Training Your Sparse
        Neural Network Better with Any Mask, section 2.3 (LS).
    """

    def __init__(self, label_smoothing: float = 0.1, over: str = "all", **options: Any):
        super().__init__(**options)
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"`label_smoothing` must be in [0, 1]; received {label_smoothing}.")
        if over not in SHARED_OVER:
            raise ValueError(f"`over` must be one of {', '.join(SHARED_OVER)}; received {over!r}.")
        self.label_smoothing = float(label_smoothing)
        self.over = over

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        smoothing = 0.0 if _hard_labels.get() else self.label_smoothing
        if self.over == "others":
            classes = y_pred.shape[-1]
            if classes < 2:
                raise ValueError(f"`over` must be 'all' with fewer than 2 classes; received 'others' and {classes}.")
            smoothing *= classes / (classes - 1)  # Keras gives each class 1 / K of this, so each other a / (K - 1)
        return keras.losses.categorical_crossentropy(
            _one_hot(y_true, y_pred), y_pred, from_logits=True, label_smoothing=smoothing
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing, "over": self.over}


@keras.saving.register_keras_serializable("keras_sparseflow")
class SquaredError(keras.losses.Loss):
    """Squared distance of the logits from the label's one-hot vector, summed over classes, mean over the batch.

    Args:
        name: as of any Keras loss, like `reduction` and `dtype`.

    Example:
        >>> float(SquaredError()(ops.array([1]), ops.array([[0.5, 3.0]])))
        4.25

    References:
        Hui & Belkin 2021, Evaluation of Neural Architectures Trained with Square Loss vs Cross-Entropy.
    """

    def call(self, y_true: keras.KerasTensor, y_pred: keras.KerasTensor) -> keras.KerasTensor:
        return ops.sum(ops.square(y_pred - _one_hot(y_true, y_pred)), axis=-1)


def _one_hot(labels: keras.KerasTensor, logits: keras.KerasTensor) -> keras.KerasTensor:
    labels = ops.reshape(labels, ops.shape(logits)[:-1])
    return ops.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
