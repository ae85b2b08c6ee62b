"""Measures how long a study of many runs takes to read: from its own files, and again from caches.

Runs are made up, not trained: 30 epochs each, and gradient flow of six layers by four measures and two readings in
eleven of them. Each reading has a process of its own; the processor's time is that of all its threads.

    python benchmarks/reading_speed.py
    python benchmarks/reading_speed.py --runs=1000
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from absl import app, flags

from keras_sparseflow.records import FLOW_COLUMNS, HISTORY_COLUMNS, write_json
from keras_sparseflow.records.columns import as_csv
from keras_sparseflow.records.integrity import sealed
from keras_sparseflow.studies.spec.run_spec import RunSpec

RUNS = flags.DEFINE_integer("runs", 10_000, "finished runs of the study.", lower_bound=1)

EPOCHS, MEASURED, LAYERS = 30, 11, 5
MEASURES = ("grad_norm_1", "grad_norm_2", "egf_1", "egf_2")

READING = """
import sys, time
from pathlib import Path
from keras_sparseflow.analysis.frames.study_source import read_source
began = time.perf_counter(), time.process_time()
read_source(Path(sys.argv[1]), "test_accuracy", None, "worst", False)
print(time.perf_counter() - began[0], time.process_time() - began[1])
"""


def make_study(study_dir: Path, runs: int) -> None:
    """Writes the files of a study's finished runs."""
    rng = np.random.default_rng(0)
    specs = [RunSpec.of(width=68, density=0.1, seed=seed) for seed in range(runs)]
    plan = {"name": study_dir.name, "run_ids": [spec.run_id for spec in specs], "runs_planned": runs}
    study_dir.mkdir()
    write_json(study_dir / "study.json", {**plan, "defaults": {}})
    tables = _tables(rng)
    for spec in specs:
        folder = study_dir / spec.run_id
        folder.mkdir()
        written = {"run_id": spec.run_id, "spec": spec.to_dict(), "active_weights": [5, 7]}
        contents = {"spec.json": json.dumps(written).encode(), **tables}
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        accuracy, loss, *means = rng.random(2 + len(MEASURES)).tolist()
        result = {"test_accuracy": accuracy, "test_loss": loss, "flow_reading": "end", "diverged": False}
        result |= {"epochs_run": EPOCHS, **dict(zip(MEASURES, means, strict=True))}
        (folder / "result.json").write_text(json.dumps(sealed(result, contents)))


def _tables(rng: np.random.Generator) -> dict[str, bytes]:
    """Returns the tables of a run, which every run here has."""
    losses = rng.random((EPOCHS, 4)).tolist()
    history = [dict(zip(HISTORY_COLUMNS, (epoch, *row), strict=True)) for epoch, row in enumerate(losses)]
    flow = [
        dict(zip(FLOW_COLUMNS, (epoch, reading, measure, layer, rng.random()), strict=True))
        for epoch in range(MEASURED)
        for reading in ("steps", "end")
        for measure in MEASURES
        for layer in (*(f"hidden_{number}" for number in range(LAYERS)), "total")
    ]
    return {"history.csv": as_csv(history, HISTORY_COLUMNS), "flow.csv": as_csv(flow, FLOW_COLUMNS)}


def main(_: list[str]) -> None:
    """Prints how long the first reading takes, and the second."""
    with tempfile.TemporaryDirectory() as folder:
        study_dir = Path(folder, "made_up")
        make_study(study_dir, RUNS.value)
        time.sleep(2.5)  # files that have only just been written are not trusted
        for which in ("first", "second", "third"):
            done = subprocess.run(
                [sys.executable, "-c", READING, study_dir], capture_output=True, text=True, check=True
            )
            wall, processor = map(float, done.stdout.split())
            print(f"{which} reading of {RUNS.value} runs: {wall:.2f} s, {processor:.2f} s of the processor", flush=True)


if __name__ == "__main__":
    app.run(main)
