"""How the masks of a spec's network change while it trains."""

from collections.abc import Iterable
from typing import Any

import keras

from keras_sparseflow.data import DataSize, ImageData, steps_per_epoch
from keras_sparseflow.studies.size.cost import steps_an_epoch
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES
from keras_sparseflow.training.dynamic.pruning import MagnitudePruning
from keras_sparseflow.training.dynamic.rigl import RigL
from keras_sparseflow.training.dynamic.set import SET
from keras_sparseflow.training.dynamic.tfmot import import_tfmot


def mask_callbacks(spec: RunSpec, data: ImageData) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that change the masks of the spec's network; none where they stay as they are.

    Args:
        spec: of the run.
        data: gives the steps of an epoch.

    Raises:
        ImportError: tfmot prunes, and is not installed.
    """
    if not isinstance(spec, RunSpec):
        return []
    steps = spec.training.epochs * steps_per_epoch(data, spec.training.batch_size)
    return list(MASK_SCHEDULES.get(spec.sparsity.method)(spec, steps))


def static(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Masks by a score before training, which stay as they are."""
    del spec, steps
    return []


def lottery(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Rounds of training, pruning and going back to early weights; within a round masks stay as they are."""
    return static(spec, steps)


def magnitude(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Pruning of a network that is dense until then, of its smallest weights, at once or by and by."""
    return [_magnitude_pruning(spec, steps)]


def rigl(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Masks that move: the smallest weights make place for those whose gradient is largest."""
    return [RigL(**_moved(spec, steps))]


def set_(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Masks that move: the smallest weights make place for random ones."""
    return [SET(**_moved(spec, steps), seed=spec.seed)]


def check_pruning(specs: Iterable[RunSpec]) -> None:
    """Raises ImportError, with the extra to install, if a run is to be pruned by tfmot and that is missing."""
    if any(isinstance(spec, RunSpec) and spec.prunes for spec in specs):
        import_tfmot()


def check_mask_changes(specs: Iterable[RunSpec], size: DataSize) -> None:
    """Refuses runs too short for their masks to change as their method says.

    Args:
        specs: of the runs.
        size: of their dataset.

    Raises:
        ValueError: no update of RigL or SET falls into a run, or no step is left after the pruning, or for the later
            rounds of a lottery ticket.
    """
    for spec in specs:
        if not isinstance(spec, RunSpec):
            continue
        steps = spec.training.epochs * steps_an_epoch(spec, size)
        if spec.prunes and _pruning_steps(spec, steps)[1] > steps:
            raise ValueError(
                f"`prune_until` must leave at least one of the {steps} steps of {spec.training.epochs} epochs after it; "
                f"received {spec.sparsity.pruning.prune_until}."
            )
        if spec.sparsity.tickets.rewind_step >= steps:
            raise ValueError(
                f"`rewind_step` must be below {steps}, the steps of {spec.training.epochs} epochs; received {spec.sparsity.tickets.rewind_step}."
            )
        if spec.sparsity.method in MOVING:
            last = _last_move(spec, steps)
            if spec.sparsity.moving.move_frequency >= last:
                raise ValueError(
                    f"`move_frequency` must be below {last}, the steps in which {spec.sparsity.method} moves masks in "
                    f"{spec.training.epochs} epochs (`move_until` {spec.sparsity.moving.move_until}); received {spec.sparsity.moving.move_frequency}."
                )


def _moved(spec: RunSpec, steps: int) -> dict[str, Any]:
    """Returns when RigL and SET move masks, and how much of them."""
    return {
        "end_step": _last_move(spec, steps),
        "frequency": spec.sparsity.moving.move_frequency,
        "drop_fraction": spec.sparsity.moving.move_fraction,
    }


def _last_move(spec: RunSpec, steps: int) -> int:
    return max(1, round(spec.sparsity.moving.move_until * steps))


def _pruning_steps(spec: RunSpec, steps: int) -> tuple[int, int]:
    """Returns the steps, counted from 1, before which the first and the last weights are pruned."""
    return round(spec.sparsity.pruning.prune_from * steps) + 1, round(spec.sparsity.pruning.prune_until * steps) + 1


def _magnitude_pruning(spec: RunSpec, steps: int) -> MagnitudePruning:
    first, last = _pruning_steps(spec, steps)
    schedules = import_tfmot().sparsity.keras
    if first == last:
        return MagnitudePruning(schedules.ConstantSparsity(1 - spec.sparsity.density, begin_step=first, end_step=first))
    frequency = min(spec.sparsity.pruning.prune_frequency, last - first)
    last -= (last - first) % frequency  # tfmot updates at whole multiples: the last must be one
    gradual = schedules.PolynomialDecay(0.0, 1 - spec.sparsity.density, begin_step=first, end_step=last, frequency=frequency)
    return MagnitudePruning(gradual)
