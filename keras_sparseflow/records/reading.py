"""Functions that read studies as DataFrames."""

from pathlib import Path
from typing import Any

import pandas as pd

from keras_sparseflow.records.columns import OPTIONAL, TABLES, read_table
from keras_sparseflow.records.files import PLAN_REMEDY, REMEDY, read_json
from keras_sparseflow.records.folder import RunFolder
from keras_sparseflow.records.integrity import damage_of, without_digests


def read_study(study_dir: str | Path) -> dict[str, Any]:
    """Returns the content of `study.json`: name, title, choices, versions, machine, `runs_planned` and more.

    Args:
        study_dir: the study's folder.

    Raises:
        FileNotFoundError: there is no study in that folder.

    Example:
        >>> read_study("runs/demo")["runs_planned"]
        24
    """
    path = Path(study_dir) / "study.json"
    if not path.is_file():
        raise FileNotFoundError(f"{study_dir} holds no study: expected the file {path}.")
    study = read_json(path, "Remove that file and run the study again: no run is trained anew.")
    if not isinstance(study.get("run_ids"), list):
        raise ValueError(f"{path} is corrupt: expected the list `run_ids` in it. Run the study again.")
    return study


def read_revisions(study_dir: str | Path) -> list[str]:
    """Returns how the plan of a study came about, a sentence for each time that networks were planned; see `plan.json`.

    Args:
        study_dir: the study's folder; without a plan there is no sentence.

    Raises:
        ValueError: the plan is damaged.

    Example:
        >>> read_revisions("runs/demo")[:1]
        []
    """
    path = Path(study_dir) / "plan.json"
    revisions = read_json(path, PLAN_REMEDY).get("revisions") if path.is_file() else []
    if not isinstance(revisions, list):
        raise ValueError(f"{path} is damaged: expected the list `revisions`; found {revisions!r}. {PLAN_REMEDY}")
    return [str(why) for why in revisions]


def read_results(study_dir: str | Path, *, damaged: str = "raise") -> pd.DataFrame:
    """Returns one row per finished member of the study: `run_id`, the spec's fields, the result's fields.

    The column of a flow measure holds its mean over the measured epochs, by the reading that `flow_reading` names:
    "end" where the run recorded it, else "steps".

    The column `empty_kernels` counts the kernels that began without any active weight.

    A run with several places in the study's comparison, such as a dense network in several matched pairs, has a row
    for each. The frame's `attrs["spec_columns"]` lists the fields of specs and the labels of members, such as the arm
    of a pair. A field that does not apply to a run has the default that the study records.

    Runs in the folder that are not part of the study's last plan are left out.

    Args:
        study_dir: the study's folder.
        damaged: "raise", or "leave_out" for runs whose files are not as they were written; see `damaged_runs`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> results = read_results("runs/demo")
        >>> len(results), results["arm"].unique().tolist()
        (24, ['sparse', 'dense'])
    """
    study = read_study(study_dir)
    folders = {folder.run_id: folder for folder in _finished(study_dir, damaged)}
    members = study.get("members") or [{"run_id": run_id} for run_id in study["run_ids"]]
    specs, results = [], []
    for member in members:
        if member["run_id"] in folders:
            folder = folders[member["run_id"]]
            spec, result = _spec_of(folder), read_json(folder.path / "result.json")
            specs.append({**_flat(spec["spec"]), **member})
            empty = list(spec.get("active_weights", ())).count(0)
            results.append({**without_digests(result), "empty_kernels": empty})
    columns = dict.fromkeys(name for fields in specs for name in fields)
    unknown = {name: study.get("defaults", {}).get(name) for name in columns}
    frame = pd.DataFrame([{**unknown, **fields, **result} for fields, result in zip(specs, results, strict=True)])
    if len(frame):
        frame.insert(0, "run_id", frame.pop("run_id"))
    spec_columns = [name for name in columns if name != "run_id"]
    frame = frame[_legible(frame, spec_columns)]
    frame.attrs["spec_columns"] = spec_columns
    return frame


def _legible(frame: pd.DataFrame, spec_columns: list[str]) -> list[str]:
    """Returns the columns in an order to be read: what varies, the results, and last what is the same in every run."""
    constant = [name for name in spec_columns if frame[name].map(repr).nunique() <= 1]
    return [*(str(name) for name in frame if name not in constant), *constant]


def read_history(study_dir: str | Path, *, damaged: str = "raise") -> pd.DataFrame:
    """Returns a row per finished run and epoch: `run_id` and the columns of `HISTORY_COLUMNS`.

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> read_history("runs/demo").columns.tolist()
        ['run_id', 'epoch', 'loss', 'accuracy', 'test_loss', 'test_accuracy']
    """
    return _read_rows(study_dir, "history", damaged)


def read_flow(study_dir: str | Path, *, damaged: str = "raise") -> pd.DataFrame:
    """Returns a row per finished run, measured epoch, reading, measure and layer: `run_id` and `FLOW_COLUMNS`.

    The reading "end" is of the mean gradient over the training images at the end of the epoch; "steps" is the mean
    over the steps of the epoch. The value for the whole network has the layer "total".

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> flow = read_flow("runs/demo")
        >>> flow["layer"].unique().tolist(), flow["epoch"].unique().tolist()
        (['hidden_1', 'hidden_2', 'output', 'total'], [0, 14, 29])
    """
    return _read_rows(study_dir, "flow", damaged)


def read_diagnostics(study_dir: str | Path, *, damaged: str = "raise") -> pd.DataFrame:
    """Returns a row per measured epoch, measure and layer of each finished run that has diagnostics.

    Measures are `top_eigenvalue`, its `top_eigenvalue_residual`, and `activation_sparsity`.

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> read_diagnostics("runs/demo").columns.tolist()
        ['run_id', 'epoch', 'measure', 'layer', 'value']
    """
    return _read_rows(study_dir, "diagnostics", damaged)


def read_landscape(study_dir: str | Path, *, damaged: str = "raise") -> pd.DataFrame:
    """Returns a row per finished run and point around its trained weights: `run_id` and `LANDSCAPE_COLUMNS`.

    For the diagnostic `loss_along`, x is the distance along the Hessian's top eigenvector, and y is 0. For
    `loss_surface`, x and y are the distances along two random directions, see `keras_sparseflow.diagnostics`.

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> read_landscape("runs/demo").columns.tolist()
        ['run_id', 'diagnostic', 'x', 'y', 'loss']
    """
    return _read_rows(study_dir, "landscape", damaged)


def _spec_of(folder: RunFolder) -> dict[str, Any]:
    """Returns the content of a run's `spec.json`."""
    path = folder.path / "spec.json"
    if not path.is_file():
        raise ValueError(f"{path} is missing. {REMEDY}")
    spec: dict[str, Any] = read_json(path)
    if spec.get("run_id") != folder.run_id:
        raise ValueError(
            f"{path} is corrupt: expected run_id {folder.run_id!r}; received {spec.get('run_id')!r}. {REMEDY}"
        )
    return spec


def _flat(parts: dict[str, Any]) -> dict[str, Any]:
    """Returns a spec's fields by name, without its division into parts."""
    flat: dict[str, Any] = {}
    for name, held in parts.items():
        flat |= held if isinstance(held, dict) else {name: held}
    return flat


def damaged_runs(study_dir: str | Path, *, arrays: bool = False) -> dict[str, str]:
    """Returns what is wrong with each finished run whose files are not as they were written, by its id.

    Args:
        study_dir: the study's folder.
        arrays: whether stored arrays, which may be large, are looked at too.

    Example:
        >>> damaged_runs("runs/demo")
        {}
    """
    found = {folder.run_id: damage_of(folder.path, arrays=arrays) for folder in _of_the_plan(study_dir)}
    return {run_id: damage for run_id, damage in found.items() if damage}


def _finished(study_dir: str | Path, damaged: str) -> list[RunFolder]:
    """Returns the finished runs of the study's plan, in its order."""
    if damaged not in ("raise", "leave_out"):
        raise ValueError(f"`damaged` must be 'raise' or 'leave_out'; received {damaged!r}.")
    folders = _of_the_plan(study_dir)
    if damaged == "leave_out":
        return [folder for folder in folders if not damage_of(folder.path)]
    for folder in folders:
        folder.check()
    return folders


def _of_the_plan(study_dir: str | Path) -> list[RunFolder]:
    folders = [RunFolder(Path(study_dir), run_id) for run_id in read_study(study_dir)["run_ids"]]
    return [folder for folder in folders if folder.finished]


def _read_rows(study_dir: str | Path, name: str, damaged: str) -> pd.DataFrame:
    """Returns one table of all finished runs; runs without this optional table are left out."""
    columns, frames = TABLES[name], []
    for folder in _finished(study_dir, damaged):
        path = folder.path / f"{name}.csv"
        if name in OPTIONAL and not path.is_file():
            continue
        frames.append(read_table(path, columns).assign(run_id=folder.run_id))
    if not frames:
        return pd.DataFrame(columns=["run_id", *columns])
    return pd.concat(frames, ignore_index=True)[["run_id", *columns]]
