"""The question which optimizers, activations and measures stacked networks can have, and what an optimizer keeps.

Trials answer it, in `training.population.elementwise`, and need TensorFlow. What they say of the package's own names is
written down here, and held by a test, so that a study of these is planned without TensorFlow.
"""

from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.layers.activations import ACTIVATIONS
from keras_sparseflow.plugins import Table
from keras_sparseflow.studies.spec.name_tables import OPTIMIZERS
from keras_sparseflow.studies.spec.run_spec import RunSpec

SLOTS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2, "adagrad": 1, "rmsprop": 1}
"""Numbers that each of the package's optimizers keeps for a weight. All of them train each weight by itself."""

BETWEEN_UNITS = frozenset({"softmax", "log_softmax", "sparsemax"})
"""The package's activations whose value of a unit depends on other units."""

_OF_OTHER_UNITS = "the value of a unit depends on other units, so the padding of narrower networks would change it"


def answers_known(spec: RunSpec) -> bool:
    """Returns whether all answers about a run are written down, so that nothing of it is tried.

    Args:
        spec: of the run.

    Example:
        >>> answers_known(RunSpec.of(width=68))
        True
        >>> answers_known(RunSpec.of(width=68, optimizer_options=["sgd.nesterov=true"]))
        False
    """
    flow = spec.measurement.flow
    return (
        _optimizer_known(spec)
        and _activation_known(spec)
        and all(_own(MEASURES, name) for name in (() if flow is None else flow.flow_measures))
    )


def why_not_optimizer(spec: RunSpec) -> str | None:
    """Returns why the optimizer of a run can't train stacked networks, or None if it can.

    Args:
        spec: of the run.
    """
    if _optimizer_known(spec):
        return None
    from keras_sparseflow.studies.run.recipe import optimizer_factory
    from keras_sparseflow.training.population import elementwise

    return elementwise.why_not_elementwise(optimizer_factory(spec))


def slots(spec: RunSpec) -> int:
    """Returns how many numbers the optimizer of a run keeps for each weight.

    Args:
        spec: of the run.

    Example:
        >>> slots(RunSpec.of(width=68, optimizer="adam"))
        2
    """
    if _optimizer_known(spec):
        return SLOTS[spec.training.optimizer]
    from keras_sparseflow.studies.run.recipe import optimizer_factory
    from keras_sparseflow.training.population import elementwise

    return elementwise.slots_per_weight(optimizer_factory(spec))


def why_not_activation(spec: RunSpec) -> str | None:
    """Returns why a network with the activation of a run can't be padded with units, or None if it can.

    Args:
        spec: of the run.

    Example:
        >>> why_not_activation(RunSpec.of(width=68, activation="swish")) is None
        True
    """
    model = spec.model
    if _activation_known(spec):
        return _OF_OTHER_UNITS if model.activation in BETWEEN_UNITS else None
    from keras_sparseflow.models.keras_network import activation_layer
    from keras_sparseflow.training.population import elementwise

    return elementwise.why_not_unitwise(
        lambda: activation_layer(model.activation, arguments=model.activation_arguments)
    )


def why_not_measure(name: str) -> str | None:
    """Returns why a measure of gradient flow can't be taken of a padded network, or None if it can.

    Args:
        name: of the measure.
    """
    if _own(MEASURES, name):
        return None
    from keras_sparseflow.training.population import elementwise

    return elementwise.why_not_unpadded(MEASURES.get(name))


def _own(table: Table, name: str) -> bool:
    return table.plugin(name).origin.built_in


def _optimizer_known(spec: RunSpec) -> bool:
    return _own(OPTIMIZERS, spec.training.optimizer) and not spec.training.optimizer_options


def _activation_known(spec: RunSpec) -> bool:
    return _own(ACTIVATIONS, spec.model.activation) and not spec.model.activation_options
