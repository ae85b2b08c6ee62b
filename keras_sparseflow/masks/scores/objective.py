"""The loss for scores, flow and diagnostics: that of the data alone, without regularisation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops
from keras.src.losses.loss import apply_mask, reduce_weighted_values, unscale_loss_for_distribution
from keras.src.trainers.compile_utils import CompileLoss

from keras_sparseflow.layers.structure import is_rebuildable

EXAMPLES = "examples"


@dataclass(frozen=True)
class Part:
    """A term of the loss of a batch.

    Args:
        value: the term, a scalar.
        weight: weight of this batch in a mean over batches, equal to the divisor of the batch's own mean: a scalar,
            such as the number of entries without padding or the sum of the sample weights; or `EXAMPLES` for the number
            of examples. None for a sum over examples, which adds up over batches.
    """

    value: Any
    weight: Any = None


@dataclass(frozen=True)
class Objective:
    """The loss of a batch as a function of labels and predictions.

    Args:
        parts: `(y, predictions, sample_weight) -> parts`, at least one; one for all terms of equal weight.
        takes_probabilities: whether predictions are probabilities instead of logits.
    """

    parts: Callable[[Any, Any, Any], list[Part]]
    takes_probabilities: bool = False

    def function(self, y: Any, predictions: Any, sample_weight: Any) -> Any:
        """Returns the loss of a batch, a scalar."""
        values = [part.value for part in self.parts(y, predictions, sample_weight)]
        return values[0] if len(values) == 1 else sum(values)


def objective_of(model: keras.Model, loss: Any = None) -> Objective:
    """Returns the loss given, else the model's compiled one, else sparse categorical cross-entropy from logits.

    Terms that layers add, such as L2, are left out.

    Args:
        model: a built model.
        loss: a Keras loss, its name, or a function `(y, predictions) -> losses`; a structure of these for several
            outputs; or None.

    Raises:
        ValueError: a loss must be given, because the model has several outputs, gives probabilities or has a
            `compute_loss` of its own.
    """
    if loss is None:
        check_own_loss(model)
    if keras.tree.is_nested(loss):
        return _of_compiled(CompileLoss(loss, output_names=getattr(model, "output_names", None)), loss)
    if loss is not None:
        return _of_loss(keras.losses.get(loss))
    if getattr(model, "compiled", False) and model._compile_loss is not None:
        return _of_compiled(model._compile_loss, model.loss)
    _check_default(model)
    return _of_loss(_cross_entropy_of_logits)


def has_own_loss(model: keras.Model) -> bool:
    """Returns whether a model's class has its own `compute_loss`, so that only the whole loss is known."""
    return type(model).compute_loss is not keras.Model.compute_loss


def check_own_loss(model: keras.Model) -> None:
    """Raises ValueError if a model's class has its own `compute_loss`."""
    if has_own_loss(model):
        raise ValueError(
            f"`loss` must be given: {type(model).__name__} has a `compute_loss` of its own, in which the data's loss "
            "and regularisation cannot be told apart; received None."
        )


def _of_loss(loss: Any) -> Objective:
    def parts(y: Any, predictions: Any, sample_weight: Any) -> list[Part]:
        if isinstance(loss, keras.losses.Loss):
            value = _whole(loss(y, predictions, sample_weight))
        else:
            losses, mask = loss(y, predictions), getattr(predictions, "_keras_mask", None)
            value = reduce_weighted_values(losses, sample_weight, mask, "sum_over_batch_size", losses.dtype)
        return [Part(value, _weight(loss, predictions, sample_weight))]

    return Objective(parts, _takes_probabilities(loss))


def _of_compiled(compiled: CompileLoss, losses: Any) -> Objective:
    """Returns the objective of a compiled loss, whose terms are recorded while Keras computes it."""
    # Keras gives only the sum of a compiled loss, but its terms can have different divisors, such as padding or sample
    # weights. So each loss is replaced for one call by a function that records its term and weight, while Keras itself
    # matches outputs, labels and loss weights. From the sum, the mean over unequal batches would come out wrong.

    def parts(y: Any, predictions: Any, sample_weight: Any) -> list[Part]:
        if not compiled.built:
            compiled(y, predictions, sample_weight)
        own, found = compiled._flat_losses, []

        def recorded(each: Any) -> Any:
            def value_of(y: Any, predictions: Any, sample_weight: Any) -> Any:
                value = _whole(each.loss(y, predictions, sample_weight))
                weighted = value if each.loss_weights is None else value * each.loss_weights
                found.append(Part(weighted, _weight(each.loss, predictions, sample_weight)))
                return value

            return each._replace(loss=value_of)

        compiled._flat_losses = [recorded(each) for each in own]
        try:
            compiled(y, predictions, sample_weight)
        finally:
            compiled._flat_losses = own
        return together(found)

    flat = [keras.losses.get(each) for each in keras.tree.flatten(losses) if each is not None]
    return Objective(parts, takes_probabilities=any(_takes_probabilities(each) for each in flat))


def together(parts: Sequence[Part]) -> list[Part]:
    """Returns the parts with those of equal weight merged: one weighted by examples, one of sums."""
    values: dict[Any, list[Part]] = {}
    for part in parts:
        values.setdefault(id(part.weight), []).append(part)  # None is one object, and so is EXAMPLES
    return [Part(sum(part.value for part in same), same[0].weight) for same in values.values()]


class BatchMean:
    """The mean over all examples of tensors, such as gradients, that belong to the parts of each batch's loss.

    Args:
        divide_sums: whether sums over examples (weight None) are divided by the number of all examples.

    Example:
        >>> mean = BatchMean()
        >>> mean.add([([1.0], 2)], examples=2)  # one part, of one number, which is the mean of two examples
        >>> mean.add([([4.0], 1)], examples=1)
        >>> mean.result()
        [2.0]
    """

    def __init__(self, divide_sums: bool = True):
        self._divide_sums = divide_sums
        self._sums: list[list[Any]] = []
        self._weights: list[Any] = []
        self.examples = 0

    def add(self, parts: Sequence[tuple[Sequence[Any], Any]], examples: int) -> None:
        """Adds a batch.

        Args:
            parts: tensors and weight of each part of the loss; the weight of a sum is None.
            examples: number of examples in the batch.
        """
        self.examples += examples
        shares = [1.0 if weight is None else weight for _, weight in parts]
        terms = [[tensor * float(share) for tensor in own] for (own, _), share in zip(parts, shares, strict=True)]
        self._sums = (
            [[so_far + new for so_far, new in zip(*both, strict=True)] for both in zip(self._sums, terms, strict=True)]
            if self._sums
            else terms
        )
        weights = [None if weight is None else float(weight) for _, weight in parts]
        before = self._weights or [None if weight is None else 0.0 for weight in weights]
        self._weights = [None if new is None else old + new for old, new in zip(before, weights, strict=True)]

    def result(self) -> list[Any]:
        """Returns the mean of each tensor, added up over the parts."""
        sums = self.examples if self._divide_sums else 1
        divisors = [sums if weight is None else weight for weight in self._weights]
        means = [[tensor / divisor for tensor in own] for own, divisor in zip(self._sums, divisors, strict=True)]
        return [sum(tensors[1:], tensors[0]) for tensors in zip(*means, strict=True)]


def weight_in(part: Part, batch: Any) -> Any:
    """Returns the weight of a part as a number, given the part's batch; None for a sum."""
    if not isinstance(part.weight, str):
        return part.weight
    return ops.cast(ops.shape(keras.tree.flatten(batch)[0])[0], "float32")


def _whole(value: Any) -> Any:
    """Undoes the division by the number of replicas that Keras losses apply in the scope of a strategy."""
    return unscale_loss_for_distribution(value)


def _weight(loss: Any, predictions: Any, sample_weight: Any) -> Any:
    """Returns the divisor of a loss over a batch, up to a factor common to all batches; None for a sum."""
    reduction = getattr(loss, "reduction", "sum_over_batch_size")
    if reduction == "sum":
        return None
    mask = getattr(predictions, "_keras_mask", None)
    if reduction == "mean_with_sample_weight" and (sample_weight is not None or mask is not None):
        weights = None if sample_weight is None else ops.cast(sample_weight, "float32")
        return ops.sum(apply_mask(weights, mask, "float32", reduction))
    if mask is not None:
        return ops.sum(ops.cast(mask, "float32"))
    if all(isinstance(size, int) for size in predictions.shape[1:]):
        return EXAMPLES
    return ops.cast(ops.size(predictions), "float32")


def _cross_entropy_of_logits(y: Any, predictions: Any) -> Any:
    """Returns the cross-entropy of each example, in float32 at least."""
    logits = ops.cast(predictions, keras.backend.result_type(predictions.dtype, "float32"))
    return keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)


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
