"""How the network of a spec is pruned while it trains."""

from collections.abc import Iterable

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.experiments.density_spec import DensitySpec
from keras_sparseflow.experiments.training_spec import TrainingSpec
from keras_sparseflow.training.pruning import MagnitudePruning
from keras_sparseflow.training.tfmot import import_tfmot


def pruning_callbacks(spec: TrainingSpec, data: ImageData) -> list[keras.callbacks.Callback]:
    """Returns the callbacks that prune the spec's network; none where its masks are there from the start.

    Args:
        spec: of the run.
        data: gives the steps of an epoch.

    Raises:
        ImportError: tfmot prunes, and is not installed.
    """
    if not (isinstance(spec, DensitySpec) and spec.prunes):
        return []
    steps = spec.epochs * steps_per_epoch(data, spec.batch_size)
    first, last = (round(share * steps) + 1 for share in (spec.prune_from, spec.prune_until))
    schedules = import_tfmot().sparsity.keras
    if first == last:
        return [MagnitudePruning(schedules.ConstantSparsity(1 - spec.density, begin_step=first, end_step=first))]
    frequency = min(spec.prune_frequency, last - first)
    last -= (last - first) % frequency  # tfmot updates at whole multiples: the last must be one
    gradual = schedules.PolynomialDecay(0.0, 1 - spec.density, begin_step=first, end_step=last, frequency=frequency)
    return [MagnitudePruning(gradual)]


def check_pruning(specs: Iterable[TrainingSpec]) -> None:
    """Raises ImportError, with the extra to install, if a run is to be pruned by tfmot and that is missing."""
    if any(isinstance(spec, DensitySpec) and spec.prunes for spec in specs):
        import_tfmot()
