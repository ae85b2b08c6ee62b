"""Time and peak memory of masks for a Wide ResNet, and of the selection among all its scores.

    python benchmarks/mask_speed.py
    python benchmarks/mask_speed.py --depth=16 --width=4 --scores=random,snip --images=128

Every score runs in a process of its own, whose peak of resident memory is compared with that before
the masks were made, the network built. Images are random numbers: time does not depend on what they show.
"""

import multiprocessing
import os
import resource
import time
import tracemalloc
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from absl import app, flags
from rich.console import Console

SCORES = flags.DEFINE_list("scores", ["random", "magnitude", "snip", "grasp", "synflow"], "which scores to time.")
DEPTH = flags.DEFINE_integer("depth", 28, "6 n + 4 layers.", lower_bound=10)
WIDTH = flags.DEFINE_integer("width", 10, "how many times as many channels as a ResNet's.", lower_bound=1)
SIZE = flags.DEFINE_integer("image_size", 32, "height and width of an image.", lower_bound=1)
CLASSES = flags.DEFINE_integer("classes", 100, "number of outputs.", lower_bound=1)
IMAGES = flags.DEFINE_integer("images", 256, "images that SNIP and GraSP look at.", lower_bound=1)
BATCH = flags.DEFINE_integer("batch_size", 32, "images taken at once, which bounds the memory.", lower_bound=1)
DENSITY = flags.DEFINE_float("density", 0.05, "share of active weights of all kernels together.", 0.0, 1.0)
SELECTION = flags.DEFINE_integer("selection", 36_500_000, "scores among which to select.", lower_bound=1)

MIB = 2**20


def resident_peak() -> float:
    """Returns the most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@dataclass(frozen=True)
class Cost:
    """Cost of the masks of one network.

    Args:
        weights: of all kernels.
        seconds: of wall-clock time.
        cpu_seconds: of all threads together; on a busy machine these say more.
        before: peak of resident memory in MiB once the network was built.
        peak: the same when the masks were made.
    """

    weights: int
    seconds: float
    cpu_seconds: float
    before: float
    peak: float

    def __str__(self) -> str:
        above = self.peak - self.before
        return (
            f"{self.weights:,} weights, {self.seconds:.1f} s ({self.cpu_seconds:.1f} s of CPU), {above:,.0f} MiB above "
            f"the {self.before:,.0f} of the network, {above * MIB / (4 * self.weights):.1f} times the kernels' own"
        )


def make(score: str, options: dict[str, Any]) -> Cost:
    """Returns what masks by this score took."""
    from keras_sparseflow.masks import make_masks
    from keras_sparseflow.models import wide_resnet

    shape = (options["size"], options["size"], 3)
    model = wide_resnet(shape, options["classes"], options["depth"], options["width"])
    rng = np.random.default_rng(0)
    images = rng.normal(size=(options["images"], *shape)).astype("float32")
    labels = rng.integers(0, options["classes"], options["images"])
    before, began, cpu_began = resident_peak(), time.perf_counter(), time.process_time()
    masks = make_masks(
        model,
        options["density"],
        score=score,
        distribution="global",
        data=(images, labels),
        batch_size=options["batch_size"],
        allow_collapse=True,
    )
    return Cost(
        weights=sum(mask.size for mask in masks.values()),
        seconds=time.perf_counter() - began,
        cpu_seconds=time.process_time() - cpu_began,
        before=before,
        peak=resident_peak(),
    )


def select(size: int, density: float) -> tuple[float, float, float]:
    """Returns the seconds and CPU seconds of a selection, and its peak of memory, masks included, over the scores'."""
    from keras_sparseflow.masks import top_masks

    scores = [array.reshape(-1, 10) for array in np.split(np.random.default_rng(0).random(10 * (size // 10), "f"), 10)]
    began = time.perf_counter(), time.process_time()
    top_masks(scores, round(density * size))
    seconds, cpu = time.perf_counter() - began[0], time.process_time() - began[1]
    tracemalloc.start()
    top_masks(scores, round(density * size))
    return seconds, cpu, tracemalloc.get_traced_memory()[1] / sum(array.nbytes for array in scores)


def main(argv: list[str]) -> None:
    del argv
    console = Console()
    seconds, cpu, memory = select(SELECTION.value, DENSITY.value)
    console.print(
        f"Selection among {SELECTION.value:,} float32 scores: {seconds:.1f} s ({cpu:.1f} s of CPU), "
        f"{memory:.1f} times their own memory besides them."
    )
    options = {
        "size": SIZE.value, "classes": CLASSES.value, "depth": DEPTH.value, "width": WIDTH.value,
        "images": IMAGES.value, "batch_size": BATCH.value, "density": DENSITY.value,
    }  # fmt: skip
    console.print(f"Masks of WRN-{DEPTH.value}-{WIDTH.value}, {IMAGES.value} images, {os.cpu_count()} cores:")
    for score in SCORES.value:
        with multiprocessing.get_context("spawn").Pool(1) as process:
            console.print(f"{score}: {process.apply(make, (score, options))}", soft_wrap=True)


if __name__ == "__main__":
    app.run(main)
