"""Slots: what an optimizer keeps beside each variable that it trains, such as moments, averages and accumulators."""

from collections.abc import Iterator, Sequence
from weakref import WeakKeyDictionary

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.mask.variables import MaskedVariable

_NO_SLOTS = ("_variables", "_trainable_variables")
"""Lists of every Keras optimizer that hold something else."""

_followed: WeakKeyDictionary[keras.optimizers.Optimizer, dict[int, int]] = WeakKeyDictionary()
"""For each optimizer, the changes of each mask, by its `id`, that its slots have followed."""

_first_values: WeakKeyDictionary[keras.optimizers.Optimizer, dict[tuple[str, int], float]] = WeakKeyDictionary()


def slots_of(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> list[keras.Variable]:
    """Returns the slots of a variable's shape that an optimizer keeps for it, by identity and not by name.

    Args:
        optimizer: built.
        variable: one that it trains; for another one there are none.
    """
    return [slot for each in _that_train(optimizer) for _, slot in _named_slots(each, variable)]


def reset_inactive_slots(optimizer: keras.optimizers.Optimizer, kernel: MaskedVariable) -> None:
    """Sets an optimizer's slots of a kernel, where its mask is False, to the values that they began with.

    That is zero for moments and averages, but not for the accumulators of Adagrad and Ftrl, which divide by them.
    """
    for each in _that_train(optimizer):
        for name, slot in _named_slots(each, kernel):
            values, first = ops.convert_to_tensor(slot), _first_value(each, name, len(slot.shape))
            slot.assign(ops.where(ops.convert_to_tensor(kernel.mask), values, ops.full_like(values, first)))


def follow_masks(optimizer: keras.optimizers.Optimizer, variables: Sequence[keras.Variable]) -> None:
    """Does so for each of the variables whose mask has changed since this was called last.

    Args:
        optimizer: built.
        variables: masked kernels and others.
    """
    followed = _followed.setdefault(optimizer, {})
    for variable in variables:
        if isinstance(variable, MaskedVariable) and followed.get(id(variable.mask)) != variable.mask.changes:
            reset_inactive_slots(optimizer, variable)
            followed[id(variable.mask)] = variable.mask.changes


def _first_value(optimizer: keras.optimizers.Optimizer, name: str, rank: int) -> float:
    """Returns what an optimizer fills the slots of this name with, as a copy of it does for a small variable."""
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
    """Yields each slot of a variable with the name of the list that holds it, of an optimizer that trains by itself."""
    index = optimizer._trainable_variables_indices.get(optimizer._var_key(variable))
    if index is None:
        return
    for name, slots in vars(optimizer).items():
        if isinstance(slots, list) and name not in _NO_SLOTS and len(slots) == len(optimizer._trainable_variables):
            slot = slots[index]
            if isinstance(slot, keras.Variable) and tuple(slot.shape) == tuple(variable.shape):
                yield name, slot


def _that_train(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """Returns the optimizer itself, or those within Keras' loss scale of mixed_float16 and its `MultiOptimizer`."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _that_train(inner)
    return list(getattr(optimizer, "optimizers", [optimizer]))
