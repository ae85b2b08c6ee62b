"""Masks that change while a network trains: the callbacks of each method."""

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.studies.size.fitting import last_move, moving_of, pruning_steps
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES
from keras_sparseflow.studies.spec.run_spec import RunSpec
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
    first, last = pruning_steps(pruning, steps)
    schedules = import_tfmot().sparsity.keras
    if pruning.prune_frequency is None:
        return [MagnitudePruning(schedules.ConstantSparsity(1 - density, begin_step=first, end_step=first))]
    frequency = max(1, min(pruning.prune_frequency, last - first))
    last -= (last - first) % frequency  # tfmot updates at whole multiples: the last must be one
    gradual = schedules.PolynomialDecay(0.0, 1 - density, begin_step=first, end_step=last, frequency=frequency)
    return [MagnitudePruning(gradual)]


def rigl(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Masks that move: the smallest weights make place for those whose gradient is largest."""
    moving = moving_of(spec)
    return [
        RigL(
            end_step=last_move(moving, steps),
            frequency=moving.move_frequency,
            drop_fraction=moving.move_fraction,
        )
    ]


def set_(spec: RunSpec, steps: int) -> list[keras.callbacks.Callback]:
    """Masks that move: the smallest weights make place for random ones."""
    moving = moving_of(spec)
    return [
        SET(
            end_step=last_move(moving, steps),
            frequency=moving.move_frequency,
            drop_fraction=moving.move_fraction,
            seed=spec.seed,
        )
    ]
