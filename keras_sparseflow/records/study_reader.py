"""The finished runs of a study, as their files are at one moment, read as DataFrames."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.records.columns import KINDS, OPTIONAL, TABLES, read_table
from keras_sparseflow.records.files import REMEDY, read_json
from keras_sparseflow.records.integrity import damage_of, state_of, without_digests
from keras_sparseflow.records.packed import RESULT_COLUMNS, read_packed
from keras_sparseflow.records.row_cache import FEWEST, RowCache, Rows, empty, with_categories, with_texts
from keras_sparseflow.records.study_file import packed_file, read_study

_SPEC, _RESULT = "spec", "result"
"""First words of a `field` in the table of results; a dot and the name of the field follow."""


class StudyReader:
    """Reads the finished runs of a study's plan, all tables of the same runs.

    The files of each run are looked at once, when the reader is made. Runs that are in a cache, and whose files have
    the sizes and modification times that they had then, are not read again; of others all digests are checked. A packed
    study is read as the one that was packed.

    Args:
        study_dir: the study's folder.
        damaged: "raise", or "leave_out" for runs whose files are not as they were written.

    Attributes:
        study: the content of `study.json`.
        damage: what is wrong with each run that was left out so far, by its id.

    Raises:
        FileNotFoundError, ValueError: see `read_study`.

    Example:
        >>> reader = StudyReader("runs/demo")
        >>> len(reader.results()), reader.table("flow")["run_id"].nunique(), reader.damage
        (24, 24, {})
    """

    def __init__(self, study_dir: str | Path, damaged: str = "leave_out"):
        if damaged not in ("raise", "leave_out"):
            raise ValueError(f"`damaged` must be 'raise' or 'leave_out'; received {damaged!r}.")
        self.study = read_study(study_dir)
        self.damage: dict[str, str] = {}
        self._study_dir = Path(study_dir)
        self._raises = damaged == "raise"
        self._packed = packed_file(study_dir)
        states = {run_id: state_of(self._study_dir / run_id) for run_id in self.study["run_ids"]}
        self._states = {
            run_id: state for run_id, state in states.items() if any(name == "result.json" for name, _, _ in state)
        }

    def table(self, name: str, *, categories: bool = False) -> pd.DataFrame:
        """Returns one table of all runs, with the column `run_id`; runs without an optional table have no rows.

        Args:
            name: a name in `TABLES`.
            categories: whether texts are categories, from which rows are chosen sooner, and numbers may not be changed
                in place; see `with_texts`.

        Raises:
            ValueError: a file is damaged; the message names it.
        """
        rows = self.rows(name).with_runs()
        return rows if categories else with_texts(rows).copy()

    def rows(self, name: str) -> Rows:
        """Returns the rows of one table of all runs, or of "results", by run.

        Args:
            name: a name in `TABLES`, or "results".

        Raises:
            ValueError: a file is damaged; the message names it.
        """
        if self._packed is not None:
            return read_packed(self._packed, name)
        if name == "results":
            return self._rows(name, RESULT_COLUMNS, self._read_results)
        columns = {column: KINDS[column] for column in TABLES[name]}

        def read(runs: Iterable[str]) -> tuple[pd.DataFrame, list[int]]:
            paths = [self._study_dir / run_id / f"{name}.csv" for run_id in runs]
            frames = [
                empty(columns) if name in OPTIONAL and not path.is_file() else read_table(path, TABLES[name])
                for path in paths
            ]
            filled = [frame for frame in frames if len(frame)]
            whole = pd.concat(filled, ignore_index=True) if filled else empty(columns)
            return whole, [len(frame) for frame in frames]

        return self._rows(name, columns, read)

    def results(self) -> pd.DataFrame:
        """Returns a row for each member of the study whose run is finished: see `read_results`.

        Raises:
            ValueError: a file is damaged; the message names it.
        """
        runs = self._runs()
        members = self.study.get("members") or [{"run_id": run_id} for run_id in self.study["run_ids"]]
        members = [member for member in members if member["run_id"] in runs]
        specs = [{**runs[member["run_id"]][0], **member} for member in members]
        results = [runs[member["run_id"]][1] for member in members]
        columns = dict.fromkeys(name for fields in specs for name in fields)
        defaults, others = self.study.get("defaults", {}), dict.fromkeys(name for row in results for name in row)
        of_specs = {name: defaults.get(name) for name in columns if name not in others}
        values = {name: [row.get(name, default) for row in specs] for name, default in of_specs.items()}
        values |= {name: [row.get(name, np.nan) for row in results] for name in others}
        spec_columns = [name for name in columns if name != "run_id"]
        constant = [name for name in spec_columns if name in values and _is_constant(values[name])]
        ordered = ["run_id", *(name for name in values if name not in (*constant, "run_id")), *constant]
        frame = pd.DataFrame({name: values[name] for name in ordered if name in values})
        frame.attrs["spec_columns"] = spec_columns
        return frame

    def _runs(self) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
        """Returns the fields of each run's spec and those of its result, by its id."""
        rows = self.rows("results")
        names, values = (rows.frame[column].cat for column in ("field", "value"))
        parts = [name.split(".", 1) for name in names.categories]
        parsed = json.loads(f"[{','.join(values.categories)}]")
        fields = zip(names.codes.tolist(), values.codes.tolist(), strict=True)
        runs = {}
        for run_id, count in zip(rows.runs, rows.counts.tolist(), strict=True):
            held: dict[str, dict[str, Any]] = {_SPEC: {}, _RESULT: {}}
            for field, value in itertools.islice(fields, count):
                part, name = parts[field]
                held[part][name] = parsed[value]
            runs[run_id] = held[_SPEC], held[_RESULT]
        return runs

    def _read_results(self, runs: Iterable[str]) -> tuple[pd.DataFrame, list[int]]:
        fields: list[str] = []
        values: list[str] = []
        counts = []
        for run_id in runs:
            spec = _spec_of(self._study_dir / run_id)
            result = without_digests(read_json(self._study_dir / run_id / "result.json"))
            result["empty_kernels"] = list(spec.get("active_weights", ())).count(0)
            both = {_SPEC: _flat(spec["spec"]), _RESULT: result}
            named = {f"{part}.{name}": value for part, held in both.items() for name, value in held.items()}
            fields += named
            values += map(json.dumps, named.values())
            counts.append(len(named))
        return pd.DataFrame({"field": pd.Series(fields, dtype=str), "value": pd.Series(values, dtype=str)}), counts

    def _rows(self, name: str, columns: Mapping[str, str], read: Any) -> Rows:
        """Returns the rows of all runs that are whole, in the order of the plan."""
        cache = RowCache(self._study_dir, name, columns)
        known = cache.read(self._states)
        cached = set(known.runs)
        others = self._whole([run_id for run_id in self._states if run_id not in cached])
        frame, counts = read(others)
        rows = known.joined(Rows(others, np.array(counts, int), with_categories(frame, columns)))
        whole = cached.union(others)
        rows = rows.of([run_id for run_id in self._states if run_id in whole])
        if len(others) >= FEWEST:
            cache.write(rows, self._states)
        return rows

    def _whole(self, runs: Sequence[str]) -> list[str]:
        """Returns the runs whose files are as they were written."""
        for run_id in runs:
            if damage := damage_of(self._study_dir / run_id, state=self._states[run_id]):
                if self._raises:
                    raise ValueError(f"A file is damaged. {damage}. {REMEDY}")
                self.damage[run_id] = damage
        return [run_id for run_id in runs if run_id not in self.damage]


def _is_constant(values: Sequence[Any]) -> bool:
    return all(value is values[0] or repr(value) == repr(values[0]) for value in values)


def _spec_of(run_dir: Path) -> dict[str, Any]:
    """Returns the content of a run's `spec.json`."""
    path = run_dir / "spec.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing. {REMEDY}")
    spec: dict[str, Any] = read_json(path)
    if spec.get("run_id") != run_dir.name:
        raise ValueError(
            f"{path} is corrupt: expected run_id {run_dir.name!r}; received {spec.get('run_id')!r}. {REMEDY}"
        )
    return spec


def _flat(parts: dict[str, Any]) -> dict[str, Any]:
    """Returns a spec's fields by name, without its division into parts."""
    flat: dict[str, Any] = {}
    for name, held in parts.items():
        flat |= held if isinstance(held, dict) else {name: held}
    return flat
