"""The loss that scores are computed from: of the data alone, without any regularisation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops
from keras.src.losses.loss import unscale_loss_for_distribution

from keras_sparseflow.layers.structure import is_rebuildable


@dataclass(frozen=True)
class Objective:
    """A loss of one batch.

    Args:
        function: `(y, predictions, sample_weight) -> scalar`.
        adds_up: whether it is the sum over the batch's examples, instead of their mean.
        takes_probabilities: whether predictions are probabilities, instead of logits.
    """

    function: Callable[[Any, Any, Any], Any]
    adds_up: bool = False
    takes_probabilities: bool = False


def objective_of(model: keras.Model, loss: Any = None) -> Objective:
    """Returns the loss given, else the model's compiled one, else sparse categorical cross-entropy from logits.

    Terms that layers add, such as L2, take no part.

    Args:
        model: built.
        loss: a Keras loss, its name, or a function `(y, predictions) -> losses`; or None.

    Raises:
        ValueError: a loss has to be given, because the model has several outputs or gives probabilities.
    """
    if loss is not None:
        return _of_loss(keras.losses.get(loss))
    if getattr(model, "compiled", False) and model._compile_loss is not None:
        losses = [keras.losses.get(each) for each in keras.tree.flatten(model.loss) if each is not None]
        return Objective(
            _of_whole_batch(model._compile_loss),
            adds_up=any(_adds_up(each) for each in losses),
            takes_probabilities=any(_takes_probabilities(each) for each in losses),
        )
    _check_default(model)
    return _of_loss(_cross_entropy_of_logits)


def _of_loss(loss: Any) -> Objective:
    if isinstance(loss, keras.losses.Loss):
        return Objective(_of_whole_batch(loss), _adds_up(loss), _takes_probabilities(loss))

    def mean(y: Any, predictions: Any, sample_weight: Any) -> Any:
        losses = loss(y, predictions)
        return ops.mean(losses if sample_weight is None else losses * ops.cast(sample_weight, losses.dtype))

    return Objective(mean, takes_probabilities=_takes_probabilities(loss))


def _of_whole_batch(loss: Any) -> Callable[[Any, Any, Any], Any]:
    """Returns a Keras loss without the division by the number of replicas that it has in a strategy's scope."""

    def whole(y: Any, predictions: Any, sample_weight: Any) -> Any:
        return unscale_loss_for_distribution(loss(y, predictions, sample_weight))

    return whole


def _cross_entropy_of_logits(y: Any, predictions: Any) -> Any:
    """Returns the cross-entropy of each example, in float32 at least."""
    logits = ops.cast(predictions, keras.backend.result_type(predictions.dtype, "float32"))
    return keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)


def _adds_up(loss: Any) -> bool:
    return getattr(loss, "reduction", None) == "sum"


def _takes_probabilities(loss: Any) -> bool:
    if isinstance(loss, keras.losses.Loss):
        return loss.get_config().get("from_logits") is False
    return getattr(loss, "__name__", "").endswith("crossentropy")


def _check_default(model: keras.Model) -> None:
    if not is_rebuildable(model):
        return
    if len(model.outputs) > 1:
        raise ValueError(
            f"`loss` must be given, or the model compiled: {model.name!r} has {len(model.outputs)} outputs."
        )
    last = model.outputs[0]._keras_history.operation
    if isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax:
        raise ValueError(
            f"`loss` must be given, or the model compiled: {model.name!r} ends in a softmax, where the default, sparse "
            "categorical cross-entropy, takes logits."
        )
