"""Price of a network that is trained alone, and what it leaves in memory, with and without the executor's tidying.

    python benchmarks/serial_cost.py

Both train in one process, turn about, a block of networks each, by the executor "serial" with all that it does. Tidying
is that gradients end with their graphs, and that the garbage collector leaves out what was there before the first.
Seconds of the processor are those of all threads, and depend less than the clock's on what else a machine does.
"""

import contextlib
import os
import statistics
import tempfile
import time
from io import StringIO
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import psutil
from absl import app, flags
from rich.console import Console
from rich.table import Table

from keras_sparseflow.data import ImageData, load_images
from keras_sparseflow.studies.comparisons import Member
from keras_sparseflow.studies.executors import executors
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.executors.study_plan import plan_study
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.run.network import size_of
from keras_sparseflow.studies.run.progress import StudyProgress
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from keras_sparseflow.training import gradient_registry

TURNS = flags.DEFINE_integer("turns", 4, "how often each is timed.", lower_bound=1)
NETWORKS = flags.DEFINE_integer("networks", 10, "networks of a block.", lower_bound=1)
EPOCHS = flags.DEFINE_integer("epochs", 1, "of each network.", lower_bound=1)


def measured(specs: list[RunSpec], data: ImageData, *, tidy: bool) -> tuple[float, float, float]:
    """Returns seconds of the clock and of the processor, and the growth of resident memory in MB, of a network."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        if not tidy:
            stack.enter_context(mock.patch.object(executors, "_frozen_heap", contextlib.nullcontext))
            stack.enter_context(
                mock.patch.object(gradient_registry, "gradients_end_with_graphs", contextlib.nullcontext)
            )
        progress = stack.enter_context(StudyProgress(specs, Console(file=StringIO())))
        prepared = Prepared(
            study=Study(name="serial", title=""),
            study_dir=Path(folder),
            members=[Member(spec, {}) for spec in specs],
            specs=specs,
            size=size_of(data),
            cost=cost(specs, size_of(data)),
            plan=plan_study(specs, Path(folder), size_of(data), "serial", Options()),
            options=Options(),
        )
        resident, clock, processor = _resident(), time.perf_counter(), time.process_time()
        executors.stacked(prepared, data, progress)
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
        return clock / len(specs), processor / len(specs), (_resident() - resident) / len(specs)


def _resident() -> float:
    """Returns resident memory in MB, without the garbage of the last network."""
    keras.utils.clear_session()
    return float(psutil.Process().memory_info().rss / 1e6)


def main(argv: list[str]) -> None:
    del argv
    data = load_images("digits")
    specs = [
        RunSpec.of(width=68, matched_fraction=0.3, batch_size=64, epochs=EPOCHS.value, learning_rate=0.03, seed=seed)
        for seed in range(NETWORKS.value)
    ]
    columns: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
    for _ in range(TURNS.value):
        for tidy, blocks in columns.items():
            measured(specs, data, tidy=tidy)  # not counted: memory that the other way has left is used first
            blocks.append(measured(specs, data, tidy=tidy))
    titles = ("executor", "ms a network", "ms of the processor", "growth, MB a network")
    table = Table(*titles, title=f"{EPOCHS.value} epochs of digits, width 68")
    for tidy, blocks in columns.items():
        clock, processor, growth = (statistics.median(values) for values in zip(*blocks, strict=True))
        name = "as it is" if tidy else "without tidying"
        table.add_row(name, f"{1e3 * clock:.0f}", f"{1e3 * processor:.0f}", f"{growth:.2f}")
    ratios = [
        statistics.median(tidy[i] / untidy[i] for tidy, untidy in zip(columns[True], columns[False], strict=True))
        for i in (0, 1)
    ]
    table.add_row("ratio of a turn", *(f"{ratio:.2f}" for ratio in ratios))
    Console().print(table)


if __name__ == "__main__":
    app.run(main)
