"""Networks trained as one program against the same networks one after the other.

    python benchmarks/population_speed.py
    python benchmarks/population_speed.py --data_dir=DIR --cases=cifar

Both executors train in one process, turn about, with everything they do: building, tracing, training,
gradient flow, evaluation, files. A rate is network-steps over seconds, a ratio the median over turns
of the turn's two rates. The limit is what the machine needs, in the same process, for nothing but the matrix
products of a step.
"""

import collections
import dataclasses
import gc
import glob
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from absl import app, flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.data import DataSize, ImageData, load_images, steps_per_epoch
from keras_sparseflow.studies.comparisons import Member
from keras_sparseflow.studies.executors.executors import EXECUTORS
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.study_plan import plan_study
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.run.network import size_of
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training.distributed.device import use_cores_for_stacks

TURNS = flags.DEFINE_integer("turns", 3, "how often each executor is timed.", lower_bound=1)
CASES = flags.DEFINE_list("cases", ["digits", "cifar", "width788"], "which cases to measure.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "prepared TensorFlow Datasets; without it images are random numbers.")
STACK_THREADS = flags.DEFINE_bool("stack_threads", True, "set TensorFlow's threads as the launchers do.")
JIT = flags.DEFINE_bool("jit", False, "compile both with XLA.")
PROFILE = flags.DEFINE_bool("profile", True, "show where a population's time goes.")

GROUPS = {
    "matrix products": ("MatMul",),
    "masks": ("Select", "MulNoNan"),
    "reductions": ("Mean", "Sum", "ArgMax"),
    "batches": ("Gather", "StridedSlice"),
    "variables": ("Assign", "ReadVariable"),
    "loss": ("SoftmaxCross",),
}
"""Groups of operations whose times a profile adds up, by part of their names; all others work entry by entry."""


@dataclasses.dataclass(frozen=True)
class Case:
    """Studies of 30 networks each, and the images they are trained on."""

    title: str
    studies: Sequence[Study]
    data: ImageData


class Clock(StudyProgress):
    """Notes when each epoch ended and when the first step was done."""

    def __init__(self, specs: Sequence[RunSpec]):
        super().__init__(specs, Console(file=StringIO()))
        self.began = time.perf_counter()
        self.first_step: float | None = None
        self.epoch_ends: dict[str, list[float]] = collections.defaultdict(list)

    def epoch_of(self, spec: RunSpec) -> Callable[..., None]:
        return lambda *epoch_and_metrics: self.epoch_ends[spec.run_id].append(time.perf_counter())

    def show(self, now: str) -> None:
        if self.first_step is None:
            self.first_step = time.perf_counter() - self.began

    def epoch_seconds(self) -> float:
        """Returns the median time of a run's epoch, its first one left out."""
        pairs = [itertools.pairwise(ends) for ends in self.epoch_ends.values()]
        return statistics.median(later - earlier for earlier, later in itertools.chain(*pairs))


def random_images(shape: tuple[int, int, int], train: int, test: int) -> ImageData:
    """Returns images of random numbers: time does not depend on what they show."""
    rng = np.random.default_rng(0)
    images = rng.normal(size=(train + test, *shape)).astype("float32")
    labels = rng.integers(0, 10, train + test).astype("int32")
    return ImageData(
        name="random", train_images=images[:train], train_labels=labels[:train], test_images=images[train:],
        test_labels=labels[train:], class_names=tuple("0123456789"), mean=(0.0,) * shape[2],
        std=(1.0,) * shape[2],
    )  # fmt: skip


def digits() -> Case:
    demo = PRESETS.get("demo")
    (grid,) = demo.grids
    studies = [
        dataclasses.replace(
            demo,
            grids=[{**grid, "optimizer": (optimizer,), "variant": (variant,)}],
            base={**demo.base, "flow_readings": ("steps",)},
        )
        for optimizer, variant in itertools.product(grid["optimizer"], grid["variant"])
    ]
    return Case("the demo's grid: digits, width 68, batch 64", studies, load_images("digits"))


def cifar() -> Case:
    data = random_images((8, 8, 3), 20000, 10000)
    if DATA_DIR.value is not None:
        data = load_images("cifar10", data_dir=DATA_DIR.value, image_size=8, train_size=20000)
    return Case("CIFAR-10 at 8x8, width 196, BatchNorm, SGD, batch 128", [_study("sgd", "BN", epochs=6)], data)


def width788() -> Case:
    return Case(
        "28x28 images, width 788, momentum, batch 128",
        [_study("momentum", "NR", epochs=3)],
        random_images((28, 28, 1), 10000, 1000),
    )


def _study(optimizer: str, variant: str, epochs: int) -> Study:
    grids = [{"optimizer": (optimizer,), "variant": (variant,)}]
    base = {"epochs": epochs, "flow_epochs": max(1, epochs // 3), "flow_readings": ("steps",)}
    return Study(name="benchmark", title="", grids=grids, base=base)


MAKERS = {"digits": digits, "cifar": cifar, "width788": width788}


def timed(executor: str, specs: list[RunSpec], data: ImageData) -> tuple[float, Clock]:
    """Returns the seconds that an executor takes for these runs, into an empty folder."""
    gc.collect()  # what the executor before left
    clock = Clock(specs)
    with tempfile.TemporaryDirectory() as folder:
        EXECUTORS.get(executor)(prepared(executor, specs, size_of(data), Path(folder)), data, clock)
    return time.perf_counter() - clock.began, clock


def prepared(executor: str, specs: list[RunSpec], size: DataSize, folder: Path) -> Prepared:
    """Returns runs as executors are given them."""
    options = Options(jit=JIT.value)
    return Prepared(
        study=Study(name="benchmark", title=""),
        study_dir=folder,
        members=[Member(spec, {}) for spec in specs],
        specs=specs,
        size=size,
        cost=cost(specs, size),
        plan=plan_study(specs, folder, size, executor, options),
        options=options,
    )


def measure(case: Case) -> dict[str, list[float]]:
    """Returns, for each turn, what was measured, summed over the case's studies."""
    columns: dict[str, list[float]] = collections.defaultdict(list)
    for _ in range(TURNS.value):
        sums: dict[str, float] = collections.defaultdict(float)
        for study in case.studies:
            specs = study.specs(size_of(case.data))
            alone = [spec for spec in specs if spec.seed == 0]  # of every width and arm: the rest takes as long
            epochs, epoch_steps = specs[0].training.epochs, steps_per_epoch(case.data, specs[0].training.batch_size)
            network_steps = epochs * epoch_steps
            seconds, clock = timed("serial", alone, case.data)
            sums["serial"] += seconds / len(alone) / network_steps
            sums["serial epochs"] += clock.epoch_seconds() / epoch_steps
            seconds, clock = timed("population", specs, case.data)
            sums["population"] += seconds / len(specs) / network_steps
            sums["population epochs"] += clock.epoch_seconds() / epoch_steps / len(specs)
            sums["start"] = max(sums["start"], clock.first_step or 0.0)
        for name, value in sums.items():
            columns[name].append(value if name == "start" else value / len(case.studies))
    return columns


def matmul_seconds(case: Case) -> float:
    """Returns what the matrix products of a network-step take in the stacks that are planned, nothing else done."""
    total = 0.0
    for study in case.studies:
        specs = study.specs(size_of(case.data))
        hidden_layers, batch_size = specs[0].model.hidden_layers or 0, specs[0].training.batch_size
        options = Options(population_memory=10**12)
        (population,) = plan_study(specs, Path("none"), size_of(case.data), "population", options).populations
        layers = []
        for stack in population.stacks:
            sizes = [case.data.inputs, *[stack.width] * hidden_layers, case.data.num_classes]
            layers.append([_operands(len(stack.members), batch_size, *pair) for pair in itertools.pairwise(sizes)])
        total += _products_seconds(layers) / len(specs)
    return total / len(case.studies)


def _operands(members: int, batch: int, inputs: int, units: int) -> list[tf.Tensor]:
    return [tf.random.normal((members, *shape)) for shape in ((batch, inputs), (inputs, units), (batch, units))]


def _products_seconds(stacks: list[list[list[tf.Tensor]]], repeats: int = 20) -> float:
    """Returns the seconds of forward and backward products, the stacks side by side; the first layer has no input's."""

    @tf.function(autograph=False)
    def products() -> list[tf.Tensor]:
        return [
            tf.reduce_max(product[:, 0, 0])
            for layers in stacks
            for number, (x, kernel, out) in enumerate(layers)
            for product in [
                tf.matmul(x, kernel),
                tf.matmul(x, out, transpose_a=True),
                *([tf.matmul(out, kernel, transpose_b=True)] if number else []),
            ]
        ]

    products()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        products()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def peak_flops() -> float:
    """Returns the floating-point operations a second of one large matrix product."""
    square = tf.random.normal((2048, 2048))
    return 2 * 2048**3 / _products_seconds([[[square[None], square[None], square[None]]]]) * 2  # two of them


def profile(case: Case) -> dict[str, float]:
    """Returns the share of thread time of each group of operations while a population trains."""
    specs = case.studies[-1].specs(size_of(case.data))
    times: dict[str, float] = collections.defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        timed("population", [spec.but(epochs=2) for spec in specs], case.data)
        tf.profiler.experimental.stop()
        for name, seconds in _operations(folder):
            group = next((g for g, parts in GROUPS.items() if any(part in name for part in parts)), "entry by entry")
            times[group] += seconds
    return times


def _operations(folder: str) -> list[tuple[str, float]]:
    """Returns type and seconds of every operation that a profile holds."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    space.ParseFromString(Path(glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)[0]).read_bytes())
    found = []
    for plane in space.planes:
        for event in itertools.chain.from_iterable(line.events for line in plane.lines):
            name = plane.event_metadata[event.metadata_id].name
            operation = name.rpartition(":")[2]
            if ":" in name and hasattr(tf.raw_ops, operation.removeprefix("_Mkl")) and operation != "While":
                found.append((operation, event.duration_ps / 1e12))
    return found


def report(case: Case, console: Console) -> None:
    """Measures a case and prints it."""
    columns = measure(case)
    limit = matmul_seconds(case)

    def micro(values: Sequence[float]) -> str:
        return f"{1e6 * statistics.median(values):.0f}"

    def ratio(above: str, below: str) -> str:
        return f"{statistics.median(a / b for a, b in zip(columns[above], columns[below], strict=True)):.1f}"

    table = Table("microseconds a network-step", "serial", "population", "ratio", title=case.title)
    table.add_row("all in all", micro(columns["serial"]), micro(columns["population"]), ratio("serial", "population"))
    table.add_row(
        "an epoch, first one left out",
        micro(columns["serial epochs"]),
        micro(columns["population epochs"]),
        ratio("serial epochs", "population epochs"),
    )
    table.add_row(
        "matrix products alone", "", micro([limit]), f"{limit / statistics.median(columns['population epochs']):.2f}"
    )
    console.print(table)
    console.print(f"From the call to the first trained step of 30 networks: {max(columns['start']):.1f} s")
    if PROFILE.value:
        times = profile(case)
        ranked = sorted(times.items(), key=lambda item: -item[1])
        shares = (f"{name} {100 * seconds / sum(times.values()):.0f}%" for name, seconds in ranked)
        variant = case.studies[-1].grids[0]["variant"][0]
        console.print(f"Thread time of {variant}: {', '.join(shares)}\n", soft_wrap=True)


def main(argv: list[str]) -> None:
    del argv
    if STACK_THREADS.value:
        use_cores_for_stacks()
    console = Console(width=110)
    console.print(f"One large matrix product: {peak_flops() / 1e9:.0f} GFLOP/s\n")
    for name in CASES.value:
        report(MAKERS[name](), console)


if __name__ == "__main__":
    app.run(main)
