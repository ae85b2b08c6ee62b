"""Masks that change while a network trains: the callbacks of each method, and the checks of its schedule."""

from collections.abc import Sequence

import keras

from keras_sparseflow.data import DataSize, ImageData, steps_per_epoch
from keras_sparseflow.studies.size.cost import steps_an_epoch
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.sparsity_spec import MovingSpec, PruningSpec
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
    if spec.sparsity.method is None:
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
    """Pruning of a network that is dense until then, of its smallest weights, at once or gradually."""
    pruning, density = spec.sparsity.pruning, spec.sparsity.density
    assert pruning is not None and density is not None
    first, last = _pruning_steps(pruning, steps)
    schedules = import_tfmot().sparsity.keras
    if pruning.prune_frequency is None:
        return [MagnitudePruning(schedules.ConstantSparsity(1 - density, begin_step=first, end_step=first))]
    frequency = max(1, min(pruning.prune_frequency, last - first))
    last -= (last - first) % frequency  # tfmot updates at whole multiples: the last must be one
    gradual = schedules.PolynomialDecay(0.0, 1 - density, begin_step=first, end_step=last, frequency=frequency)
    return [MagnitudePruning(gradual)]


def rigl(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Masks that move: the smallest weights make place for those whose gradient is largest."""
    moving = _moving(spec)
    return [
        RigL(
            end_step=_last_move(moving, steps),
            frequency=moving.move_frequency,
            drop_fraction=moving.move_fraction,
        )
    ]


def set_(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Masks that move: the smallest weights make place for random ones."""
    moving = _moving(spec)
    return [
        SET(
            end_step=_last_move(moving, steps),
            frequency=moving.move_frequency,
            drop_fraction=moving.move_fraction,
            seed=spec.seed,
        )
    ]


def check_mask_changes(specs: Sequence[RunSpec], size: DataSize) -> None:
    """Refuses runs too short for their masks to change as their method says.

    Args:
        specs: of the runs.
        size: of their dataset.

    Raises:
        ValueError: no update of RigL or SET falls into a run, or no step is left after the pruning, or for the later
            rounds of a lottery ticket.
        ImportError: a run is to be pruned by tfmot, and that is missing.
    """
    if any(spec.sparsity.pruning is not None for spec in specs):
        import_tfmot()
    for spec in specs:
        epochs, sparsity = spec.training.epochs, spec.sparsity
        steps = epochs * steps_an_epoch(spec, size)
        if sparsity.pruning is not None and _pruning_steps(sparsity.pruning, steps)[1] > steps:
            raise ValueError(
                f"`prune_until` must leave at least one of the {steps} steps of {epochs} epochs after it; received "
                f"{sparsity.pruning.prune_until}."
            )
        if sparsity.tickets is not None and sparsity.tickets.rewind_step >= steps:
            raise ValueError(
                f"`rewind_step` must be below {steps}, the steps of {epochs} epochs; received "
                f"{sparsity.tickets.rewind_step}."
            )
        if sparsity.moves and _moving(spec).move_frequency >= _last_move(_moving(spec), steps):
            raise ValueError(
                f"`move_frequency` must be below {_last_move(_moving(spec), steps)}, the steps in which "
                f"{sparsity.method} moves masks in {epochs} epochs (`move_until` {_moving(spec).move_until}); received "
                f"{_moving(spec).move_frequency}."
            )


def _moving(spec: RunSpec) -> MovingSpec:
    assert spec.sparsity.moving is not None
    return spec.sparsity.moving


def _last_move(moving: MovingSpec, steps: int) -> int:
    return max(1, round(moving.move_until * steps))


def _pruning_steps(pruning: PruningSpec, steps: int) -> tuple[int, int]:
    """Returns the steps, counted from 1, before which the first and the last weights are pruned."""
    return round(pruning.prune_from * steps) + 1, round(pruning.prune_until * steps) + 1
