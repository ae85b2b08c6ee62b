"""Measures what docs/sparsify.md promises of many models, and writes the page's table of them.

    PYTHONPATH=. python docs/make_models.py                  all of suites/models that have no row yet
    PYTHONPATH=. python docs/make_models.py ResNet50 Bert    these anew

Rows stay in docs/results/twins.csv. The largest model takes 10 GB of memory. KerasHub is the extra `hub`.
"""

import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from suites.models.applications import ALL, application
from suites.models.backbones import BACKBONES, INCLUDED, backbone
from suites.models.promise import measure_promise

HERE = Path(__file__).parent
ROWS = HERE / "results" / "twins.csv"
PAGE = HERE / "sparsify.md"
BEGIN, END = "<!-- by make_models.py -->\n", "<!-- end -->\n"
MODELS = (*ALL, *BACKBONES)
COLUMNS = {
    "kernels": "{:,}",
    "weights": "{:,}",
    "masked": "{:.1%}",
    "at_one": "{:.1g}",
    "file": "{:.1g}",
    "compressed": "{:.1g}",
    "stripped": "{:.1g}",
}


def measure(name: str) -> dict[str, Any]:
    """Returns the row of one model; raises AssertionError if it does not keep the promise."""
    model, inputs = (backbone if name in BACKBONES else application)(name)
    with tempfile.TemporaryDirectory() as folder:
        promise = measure_promise(
            model, inputs, Path(folder), eagerly=name not in BACKBONES, include=INCLUDED.get(name, ())
        )
    assert not promise.broken(), f"{name} breaks {promise.broken()}: {promise}"
    return {"name": name, **asdict(promise)}


def write_table(rows: list[dict[str, Any]]) -> None:
    """Writes the table into the page, in place of the one that stands there."""
    lines = [
        "| model | kernels | their weights | masked | density 1 | `.keras` | compressed | stripped |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [text.format(row[column]) for column, text in COLUMNS.items()]
        lines.append(f"| {row['name']}{' *' if row['name'] in INCLUDED else ''} | {' | '.join(cells)} |")
    before, rest = PAGE.read_text().split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after)


def main(names: list[str]) -> None:
    """Measures the models of these names, or all that have no row yet."""
    rows = {row["name"]: row for row in pd.read_csv(ROWS).to_dict("records")} if ROWS.exists() else {}
    for name in names or [name for name in MODELS if name not in rows]:
        began = time.time()
        rows[name] = measure(name)
        pd.DataFrame([rows[each] for each in MODELS if each in rows]).to_csv(ROWS, index=False)
        keras.utils.clear_session()
        print(f"{name}: {time.time() - began:.0f} s", flush=True)
    write_table([rows[name] for name in MODELS if name in rows])


if __name__ == "__main__":
    main(sys.argv[1:])
