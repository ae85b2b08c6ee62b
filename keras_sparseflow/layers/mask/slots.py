"""Optimizer slots: moments, averages and accumulators that an optimizer keeps for each variable that it trains."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.mask.variables import MaskedVariable

_NO_SLOTS = ("_variables", "_trainable_variables")
"""Attributes of every Keras optimizer that are lists of variables but hold no slots."""

_followed: WeakKeyDictionary[keras.optimizers.Optimizer, dict[int, int]] = WeakKeyDictionary()
"""Count of changes of each mask, by its `id`, when the slots of an optimizer last followed it."""

_first_values: WeakKeyDictionary[keras.optimizers.Optimizer, dict[tuple[str, int], float]] = WeakKeyDictionary()
"""Initial value of the slots of each optimizer, by attribute and rank."""

# Keras offers no way from a variable to its slots; an optimizer keeps lists of slots, parallel to its list of trained
# variables. So `_named_slots` takes every list of that length at the index of the variable, which is found by identity.
# Names would not do: two kernels of one path have slots of one name, and the wrong kernel would lose its momentum.


def slots_of(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> list[keras.Variable]:
    """Returns the slots that an optimizer keeps for a variable and that have the variable's shape.

    Args:
        optimizer: a built optimizer.
        variable: a variable that the optimizer trains; any other has no slots.
    """
    return [slot for each in _that_train(optimizer) for _, slot in _named_slots(each, variable)]


def reset_inactive_slots(optimizer: keras.optimizers.Optimizer, kernel: MaskedVariable) -> None:
    """Sets an optimizer's slots of a kernel to their initial values where the kernel's mask is False.

    Moments and averages begin at zero. Accumulators of Adagrad and Ftrl, by which updates are divided, need not.
    """
    mask = ops.convert_to_tensor(kernel.mask)
    map_slots(optimizer, kernel, lambda slot, first: ops.where(mask, slot, ops.full_like(slot, first)))


def map_slots(
    optimizer: keras.optimizers.Optimizer, variable: keras.Variable, new_values: Callable[[Any, float], Any]
) -> None:
    """Assigns to each slot of a variable what a function makes of its values and of its initial value.

    Args:
        optimizer: a built optimizer.
        variable: a variable that the optimizer trains.
        new_values: called with a tensor, the slot, and a float, its initial value.
    """
    for each in _that_train(optimizer):
        for name, slot in _named_slots(each, variable):
            slot.assign(new_values(ops.convert_to_tensor(slot), _first_value(each, name, len(slot.shape))))


def follow_masks(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> None:
    """Resets the inactive slots of each variable whose mask has changed since the last call.

    Slots of sparse kernels, which have no inactive ones, move with their weights.

    Args:
        optimizer: a built optimizer.
        variables: masked and sparse kernels; other variables are skipped.
    """
    followed = _followed.setdefault(optimizer, {})
    for variable in variables:
        if isinstance(variable, MaskedVariable) and followed.get(id(variable.mask)) != variable.mask.changes:
            reset_inactive_slots(optimizer, variable)
            followed[id(variable.mask)] = variable.mask.changes
        elif hasattr(variable, "follow_slots"):
            variable.follow_slots(optimizer)


def _first_value(optimizer: keras.optimizers.Optimizer, name: str, rank: int) -> float:
    """Returns the initial value of an optimizer's slots of one name, read from a copy built for a tiny variable."""
    known = _first_values.setdefault(optimizer, {})
    if (name, rank) not in known:
        config = optimizer.get_config()
        config.update({"learning_rate": 0.0} if "learning_rate" in config else {})  # a schedule may not be serializable
        copy = type(optimizer).from_config(config)
        small = keras.Variable(np.zeros((1,) * rank, "float32"), name="kernel")
        copy.build([small])
        known.update({(each, rank): float(ops.convert_to_numpy(s).flat[0]) for each, s in _named_slots(copy, small)})
    return known[name, rank]


def _named_slots(
    optimizer: keras.optimizers.Optimizer, variable: keras.Variable
) -> Iterator[tuple[str, keras.Variable]]:
    """Yields each slot of a variable and the name of its list; the optimizer must be one of `_that_train`."""
    index = optimizer._trainable_variables_indices.get(optimizer._var_key(variable))
    if index is None:
        return
    for name, slots in vars(optimizer).items():
        if isinstance(slots, list) and name not in _NO_SLOTS and len(slots) == len(optimizer._trainable_variables):
            slot = slots[index]
            if isinstance(slot, keras.Variable) and tuple(slot.shape) == tuple(variable.shape):
                yield name, slot


def _that_train(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """Returns the optimizers that keep slots: those within a `LossScaleOptimizer` or `MultiOptimizer`, or this one."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _that_train(inner)
    return list(getattr(optimizer, "optimizers", [optimizer]))
