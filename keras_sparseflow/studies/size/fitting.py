"""Checks of runs against the size of their dataset, without TensorFlow: is there room for what a spec asks for?"""

from collections.abc import Iterable, Sequence

from keras_sparseflow.data import DataSize
from keras_sparseflow.data.images import check_pad
from keras_sparseflow.studies.size.cost import steps_an_epoch
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.sparsity_spec import MovingSpec, PruningSpec
from keras_sparseflow.training.dynamic.tfmot import check_tfmot


def check_padding(specs: Iterable[RunSpec], size: DataSize) -> None:
    """Raises ValueError for a padding of training images that is larger than they are."""
    for spec in specs:
        check_pad(spec.data.augment_pad, *size.input_shape[:2], "augment_pad")


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
        check_tfmot()
    for spec in specs:
        epochs, sparsity = spec.training.epochs, spec.sparsity
        steps = epochs * steps_an_epoch(spec, size)
        if sparsity.pruning is not None and pruning_steps(sparsity.pruning, steps)[1] > steps:
            raise ValueError(
                f"`prune_until` must leave at least one of the {steps} steps of {epochs} epochs after it; received "
                f"{sparsity.pruning.prune_until}."
            )
        if sparsity.tickets is not None and sparsity.tickets.rewind_step >= steps:
            raise ValueError(
                f"`rewind_step` must be below {steps}, the steps of {epochs} epochs; received "
                f"{sparsity.tickets.rewind_step}."
            )
        if sparsity.moves and (moving := moving_of(spec)).move_frequency >= (last := last_move(moving, steps)):
            raise ValueError(
                f"`move_frequency` must be below {last}, the steps in which {sparsity.method} moves masks in {epochs} "
                f"epochs (`move_until` {moving.move_until}); received {moving.move_frequency}."
            )


def moving_of(spec: RunSpec) -> MovingSpec:
    """Returns how the masks of a run move."""
    assert spec.sparsity.moving is not None
    return spec.sparsity.moving


def last_move(moving: MovingSpec, steps: int) -> int:
    """Returns the number of the first steps, of all, in which masks move."""
    return max(1, round(moving.move_until * steps))


def pruning_steps(pruning: PruningSpec, steps: int) -> tuple[int, int]:
    """Returns the steps, counted from 1, before which the first and the last weights are pruned."""
    return round(pruning.prune_from * steps) + 1, round(pruning.prune_until * steps) + 1
