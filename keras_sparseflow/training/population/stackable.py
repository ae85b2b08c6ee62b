"""The question which optimizers, activations and measures stacked networks can have, and what an optimizer keeps.

Trials answer it (`elementwise`), and need TensorFlow. What they say of the package's own names is written down here,
and held by a test, so that a study of these is planned without TensorFlow.

Each function takes `own`, a name of the package's own, given without options, or "" for anything else, which is tried.
"""

from collections.abc import Callable
from typing import Any

SLOTS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2, "adagrad": 1, "rmsprop": 1}
"""Numbers that each of the package's optimizers keeps for a weight. All of them train each weight by itself."""

BETWEEN_UNITS = frozenset({"softmax", "log_softmax", "sparsemax"})
"""The package's activations whose value of a unit depends on other units."""

OF_OTHER_UNITS = "the value of a unit depends on other units, so the padding of narrower networks would change it"


def slots(own: str, factory: Callable[[], Any]) -> int:
    """Returns how many numbers an optimizer keeps for each weight.

    Args:
        own: see above.
        factory: gives a function of `learning_rate=` that makes the optimizer.

    Example:
        >>> import keras
        >>> slots("adam", lambda: None), slots("", lambda: keras.optimizers.Adam)
        (2, 2)
    """
    if own:
        return SLOTS[own]
    from keras_sparseflow.training.population import elementwise

    return elementwise.slots_per_weight(factory())


def why_not_optimizer(own: str, factory: Callable[[], Any]) -> str | None:
    """Returns why an optimizer can't train stacked networks, or None if it can; for the arguments see `slots`.

    Example:
        >>> why_not_optimizer("adam", lambda: None) is None
        True
    """
    if own:
        return None
    from keras_sparseflow.training.population import elementwise

    return elementwise.why_not_elementwise(factory())


def why_not_activation(own: str, make_layer: Callable[[], Any]) -> str | None:
    """Returns why a network with an activation can't be padded with units, or None if it can.

    Args:
        own: see above.
        make_layer: makes the activation's layer.

    Example:
        >>> why_not_activation("swish", lambda: None) is None
        True
    """
    if own:
        return OF_OTHER_UNITS if own in BETWEEN_UNITS else None
    from keras_sparseflow.training.population import elementwise

    return elementwise.why_not_unitwise(make_layer)


def why_not_measure(own: str, measure: Callable[[], Any]) -> str | None:
    """Returns why a measure of gradient flow can't be taken of a padded network, or None if it can.

    Args:
        own: see above.
        measure: gives the measure.

    Example:
        >>> why_not_measure("egf_2", lambda: None) is None
        True
    """
    if own:
        return None
    from keras_sparseflow.training.population import elementwise

    return elementwise.why_not_unpadded(measure())
