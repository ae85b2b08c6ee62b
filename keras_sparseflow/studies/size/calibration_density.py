"""How long networks of a density study take on this machine, from a short calibration.

A small relative of theirs, shallow and narrow, is trained on random images of the real shape; the time of a
floating-point operation is taken from it. Differences between optimizers, activations and variants are left out.
"""

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.executors import Options
from keras_sparseflow.studies.size.calibration import (
    EPOCH_FLOPS,
    EPOCHS,
    FLOW_EPOCHS,
    MOST_STEPS,
    epoch_seconds,
    measured_share,
)
from keras_sparseflow.studies.size.cost import TRAINING, cost
from keras_sparseflow.studies.size.kernel_counts import kernels_of
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.name_tables import MODELS

FEWEST_STEPS = 3
"""Of a calibrated epoch."""

STEP_FLOPS = 1e10
"""Of a calibrated step at most, if a batch of one image needs no more: a fraction of a second."""


def density_seconds(
    specs: Sequence[RunSpec],
    size: DataSize,
    options: Options,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> float:
    """Returns the estimated seconds in which networks are trained one after the other.

    Args:
        specs: at least one, of one architecture.
        size: of their dataset.
        options: how runs are executed.
        on_progress: called with how many measurements are done, and of how many.
    """
    small = _relative(specs, size)
    steps = max(FEWEST_STEPS, min(MOST_STEPS, round(EPOCH_FLOPS / (small.training.batch_size * _flops_an_image(small, size)))))
    start, plain, measured = epoch_seconds([small], size.input_shape, steps, "serial", options)
    on_progress(1, 1)
    trained = DataSize(size.input_shape, size.classes, steps * small.training.batch_size, 0)
    a_flop = plain / (cost([small], trained).flops / EPOCHS)
    a_kernel = start / len(kernels_of(small, size))
    slower = max(1.0, measured / plain)
    return sum(
        cost([spec], size).flops * a_flop * (1 + measured_share(spec) * (slower - 1))
        + a_kernel * len(kernels_of(spec, size))
        for spec in specs
    )


def _relative(specs: Sequence[RunSpec], size: DataSize) -> RunSpec:
    """Returns a network of the most common variant that is as small as tells the time of the others' operations."""
    most = Counter(spec.training.variant for spec in specs).most_common(1)[0][0]
    spec = next(spec for spec in specs if spec.training.variant == most)
    architecture = MODELS.get(spec.model.architecture)
    small = dataclasses.replace(
        spec,
        method="static",
        tweaks="none",
        diagnostics=(),
        density=1.0,  # masks take no longer, and one of a low density might leave a small kernel no weight
        depth=min(spec.model.depth, architecture.small_depth),
        width=min(spec.model.width, architecture.small_width),
        epochs=EPOCHS,
        flow_epochs=FLOW_EPOCHS,
        flow_readings=("steps",),
    )
    fits = int(STEP_FLOPS / _flops_an_image(small, size))
    return dataclasses.replace(small, batch_size=max(1, min(spec.training.batch_size, fits)))


def _flops_an_image(spec: RunSpec, size: DataSize) -> int:
    return TRAINING * sum(kernel.size * kernel.positions for kernel in kernels_of(spec, size))
