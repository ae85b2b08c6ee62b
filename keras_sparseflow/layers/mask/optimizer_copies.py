"""Optimizers within others, and new ones of the same arguments."""

from typing import Any

import keras


def that_train(optimizer: Any) -> list[Any]:
    """Returns the optimizers that keep slots: those within a `LossScaleOptimizer` or `MultiOptimizer`, or this one."""
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return that_train(inner)
    return list(getattr(optimizer, "optimizers", [optimizer]))


# Keras makes a new optimizer from a config, but finds no class there that is not registered, and no config of a
# schedule or a function of one's own. So the config names the classes that are at hand, and in place of a learning rate
# that is computed holds its number among those at hand.


def unbuilt_copy(optimizer: Any) -> Any:
    """Returns an optimizer of the same class and arguments, without state; a schedule is the same object in both.

    Args:
        optimizer: of any class whose `get_config` gives the arguments of its constructor.

    Raises:
        ValueError: it is of another class, such as a `MultiOptimizer` that a function chooses for.

    Example:
        >>> optimizer = keras.optimizers.SGD(lambda: 0.1, momentum=0.9)
        >>> copy = unbuilt_copy(optimizer)
        >>> copy.momentum, copy.built, copy._learning_rate is optimizer._learning_rate
        (0.9, False, True)
    """
    inner = that_train(optimizer)
    rates = [each._learning_rate for each in inner]

    class Computed(keras.optimizers.schedules.LearningRateSchedule):
        """A learning rate that is computed, in a config."""

        def __init__(self, place: int):
            self.place = place

        def get_config(self) -> dict[str, Any]:
            return {"place": self.place}

        @classmethod
        def from_config(cls, config: dict[str, Any]) -> Any:
            return rates[config["place"]]

    at_hand = {kind.__name__: kind for kind in (Computed, *map(type, inner))}
    try:
        for place, (each, rate) in enumerate(zip(inner, rates, strict=True)):
            if callable(rate):
                vars(each)["_learning_rate"] = Computed(place)
        with keras.saving.CustomObjectScope(at_hand):
            copy = type(optimizer).from_config(optimizer.get_config())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise _refused(optimizer, " ".join(str(error).split())[:200]) from error
    finally:
        for each, rate in zip(inner, rates, strict=True):
            vars(each)["_learning_rate"] = rate
    if [type(rate) for rate in rates] != [type(each._learning_rate) for each in that_train(copy)]:
        raise _refused(optimizer, "it gives another learning rate")
    return copy


def _refused(optimizer: Any, why: str) -> ValueError:
    return ValueError(
        "`optimizer` must be of a class whose `get_config` gives all arguments of its constructor, so that another one "
        f"can be made like it; received {type(optimizer).__name__}: {why}."
    )
