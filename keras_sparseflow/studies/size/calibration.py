"""How long a study takes on this machine, from a short calibration.

Small networks of random numbers are trained as a study's are, by the same executor, files included. A few sizes of
them span those of the study; what one weight takes per image is interpolated between, so that days of training are
estimated within seconds. Differences between optimizers, activations and variants of one study are left out, but for
data augmentation, which costs each stream of batches and not each network.
"""

import dataclasses
import itertools
import math
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
from rich.console import Console

from keras_sparseflow.data import ImageData
from keras_sparseflow.flow import measured_epochs
from keras_sparseflow.studies.executors.executors import EXECUTORS, Options
from keras_sparseflow.studies.executors.progress import StudyProgress
from keras_sparseflow.studies.size.cost import FORWARD, TRAINING, image_passes, steps_an_epoch
from keras_sparseflow.studies.size.workload import Load, Workload, graph_of
from keras_sparseflow.studies.spec.run_spec import RunSpec

LARGEST_SIDE = 1000
"""Kernels larger than this take about as long per weight as these; networks of them would take long to calibrate."""

MOST_SIDES = 4
HIDDEN_LAYERS = 2
CLASSES = 10
EPOCHS = 6
FLOW_EPOCHS = 3
"""Of a calibration: one that compiles, then three that are timed and two in which flow is measured too."""

EPOCH_FLOPS = 2e10
"""Floating-point operations of a calibrated epoch: a fraction of a second."""

MOST_STEPS = 200
MOST_NETWORKS = 16
MOST_WEIGHTS = 8e6
"""Of the networks of one measurement together: some 100 MB with all that training holds."""

TINY = 8
"""Width of the networks on which augmentation is measured, and of the smallest others."""


@dataclass(frozen=True)
class Timing:
    """What was measured on networks of one size.

    Args:
        side: of their square kernels.
        per_weight: seconds of training per weight, image and network.
        measuring: how many times as long an epoch takes in whose steps gradient flow is measured, at least 1.
        building: seconds before the first epoch, for each kernel of each graph.
    """

    side: float
    per_weight: float
    measuring: float
    building: float


@dataclass(frozen=True)
class Speed:
    """The speed of this machine with one executor.

    Args:
        timings: of several sizes, smallest first.
        augmenting: seconds that data augmentation takes for each value of an image.
    """

    timings: tuple[Timing, ...]
    augmenting: float = 0.0

    def seconds(self, work: Workload) -> float:
        """Returns the estimated seconds in which networks are trained."""
        building = statistics.median(timing.building for timing in self.timings)
        augmented = sum(load.size.inputs * image_passes(load.spec, load.size)[0] for load in work.augmented)
        training = sum(map(self._training, work.loads))
        return training + building * work.kernels_built + self.augmenting * augmented

    def _training(self, load: Load) -> float:
        trained, at_ends, evaluated = image_passes(load.spec, load.size)
        slower = 1 + measured_share(load.spec) * (self._at(load.side, "measuring") - 1)
        images = trained * slower + at_ends + evaluated * FORWARD / TRAINING
        return images * load.weights * self._at(load.side, "per_weight")

    def _at(self, side: float, name: str) -> float:
        """Returns a measured number at another size: interpolated in logarithms, the nearest one outside."""
        known = np.log([timing.side for timing in self.timings])
        values = np.log([getattr(timing, name) for timing in self.timings])
        return float(np.exp(np.interp(math.log(side), known, values)))


def calibrate(
    work: Workload, executor: str, options: Options, on_progress: Callable[[int, int], None] = lambda *_: None
) -> Speed:
    """Measures how fast this machine trains networks such as these.

    It takes some seconds and some 100 MB, however large they are.

    Args:
        work: not empty; its networks are not trained, others of their kind are.
        executor: "population" or "serial".
        options: how runs are executed.
        on_progress: called with how many measurements are done, and of how many.
    """
    most = Counter(graph_of(load.spec) for load in work.loads).most_common(1)[0][0]
    spec = next(load.spec for load in work.loads if graph_of(load.spec) == most)
    sides = _sides([load.side for load in work.loads])
    total = len(sides) + bool(work.augmented)
    timings = []
    for done, side in enumerate(sides, 1):
        timings.append(_timing(spec, side, executor, options))
        on_progress(done, total)
    if not work.augmented:
        return Speed(tuple(timings))
    augmenting = _augmenting(work.augmented[0], executor, options)
    on_progress(total, total)
    return Speed(tuple(timings), augmenting)


def measured_share(spec: RunSpec) -> float:
    """Returns the share of epochs in whose steps flow is measured; its measuring at their end counts as images."""
    measured = measured_epochs(spec.training.epochs, spec.measurement.flow_epochs) if "steps" in spec.measurement.flow.flow_readings else []
    return len(measured) / spec.training.epochs


class _Clock(StudyProgress):
    """Notes when each epoch ended, and shows nothing."""

    def __init__(self, specs: Sequence[RunSpec]):
        super().__init__(specs, Console(file=StringIO()))
        self._ends: dict[str, list[float]] = defaultdict(list)

    def epoch_of(self, spec: RunSpec) -> Callable[..., None]:
        return lambda *epoch_and_metrics: self._ends[spec.run_id].append(time.perf_counter())

    def show(self, now: str) -> None:
        """Shows nothing."""

    def epoch_ends(self) -> list[float]:
        """Returns when the last network had ended each epoch."""
        return [max(ends) for ends in zip(*self._ends.values(), strict=True)]


def _sides(sides: Sequence[float]) -> list[int]:
    """Returns the sizes to measure, from the smallest to the largest, each at most some four times the one before."""
    low, high = (min(max(side, TINY), LARGEST_SIDE) for side in (min(sides), max(sides)))
    count = min(MOST_SIDES, 1 + math.ceil(math.log(high / low, 4)))
    return sorted({round(side) for side in np.geomspace(high, low, count)})


def _timing(spec: RunSpec, side: int, executor: str, options: Options) -> Timing:
    """Measures networks whose kernels are squares of that side."""
    from keras_sparseflow.training.distributed.device import parallel_stacks  # loads TensorFlow

    variant = "BN" if "BN" in spec.training.parts else "NR"
    weights = HIDDEN_LAYERS * side**2 + side * CLASSES
    networks = 1 if executor == "serial" else max(2, min(MOST_NETWORKS, round(MOST_WEIGHTS / weights) // 2 * 2))
    square = dataclasses.replace(
        spec, variant=variant, dense_width=(side + 1) // 2, max_width=side, hidden_layers=HIDDEN_LAYERS, arm="sparse",
        epochs=EPOCHS, flow_epochs=FLOW_EPOCHS, flow_readings=("steps",),
    )  # fmt: skip
    specs = [dataclasses.replace(square, seed=seed) for seed in range(networks)]
    graphs = 1 if executor == "serial" else parallel_stacks()
    step_flops = TRAINING * weights * spec.training.batch_size * networks
    steps = max(3, min(MOST_STEPS, round(EPOCH_FLOPS / step_flops)))
    start, plain, measured = epoch_seconds(specs, (1, side, 1), steps, executor, options)
    return Timing(
        side=math.sqrt(weights / (HIDDEN_LAYERS + 1)),
        per_weight=plain / (steps * spec.training.batch_size * networks * weights),
        measuring=max(1.0, measured / plain),
        building=start / (HIDDEN_LAYERS + 1) / graphs,
    )


def _augmenting(load: Load, executor: str, options: Options) -> float:
    """Measures what augmentation adds to the training of one tiny network on images of the real shape."""
    steps = max(3, min(MOST_STEPS, steps_an_epoch(load.spec, load.size)))
    seconds = []
    for variant in ("NR", "DA"):
        spec = dataclasses.replace(
            load.spec, variant=variant, dense_width=TINY, max_width=TINY, hidden_layers=1, arm="sparse",
            epochs=EPOCHS, flow_epochs=FLOW_EPOCHS, flow_readings=("steps",),
        )  # fmt: skip
        seconds.append(epoch_seconds([spec], load.size.input_shape, steps, executor, options)[1])
    without, augmented = seconds
    return max(0.0, augmented - without) / (steps * load.spec.training.batch_size * load.size.inputs)


def epoch_seconds(
    specs: Sequence[RunSpec], shape: tuple[int, int, int], steps: int, executor: str, options: Options
) -> tuple[float, float, float]:
    """Trains networks on random images; returns the seconds before the first epoch, of one, and of a measured one.

    Args:
        specs: of `EPOCHS` epochs, in `FLOW_EPOCHS` of which flow is measured.
        shape: of an image.
        steps: of an epoch.
        executor: "population" or "serial".
        options: how runs are executed.
    """
    data, clock = _random_images(shape, steps * specs[0].batch_size), _Clock(specs)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        EXECUTORS.get(executor)(specs, Path(folder), data, clock, options)
    seconds = [after - before for before, after in itertools.pairwise([began, *clock.epoch_ends()])]
    measured = measured_epochs(EPOCHS, FLOW_EPOCHS)
    plain = min(seconds[epoch] for epoch in range(EPOCHS) if epoch not in measured)  # what else runs only slows it
    return max(0.0, seconds[0] - plain), plain, min(seconds[epoch] for epoch in measured[1:])


def _random_images(shape: tuple[int, int, int], count: int) -> ImageData:
    """Returns images of random numbers: time does not depend on what they show. Few are for testing."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(count + CLASSES, *shape)).astype("float32")
    labels = rng.integers(0, CLASSES, count + CLASSES).astype("int32")
    names = tuple(map(str, range(CLASSES)))
    zeros, ones = (0.0,) * shape[2], (1.0,) * shape[2]
    return ImageData(
        name="random", train_images=images[:count], train_labels=labels[:count], test_images=images[count:],
        test_labels=labels[count:], class_names=names, mean=zeros, std=ones,
    )  # fmt: skip
