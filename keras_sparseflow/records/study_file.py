"""The file of a study: its choices, its plan and its members. A packed study holds it in one file with all rows."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from keras_sparseflow.records.files import PLAN_REMEDY, UNREADABLE, read_json

PACKED = "runs.npz"
"""The file of a packed study in its folder."""

HEAD = "study"
"""The part of a packed study that holds the content of `study.json` and the revisions of the plan."""

FORMAT = 1
"""The format of packed studies that this version writes and reads."""


def packed_file(study_dir: str | Path) -> Path | None:
    """Returns the file of a packed study; None where the folder holds the study itself, or none.

    Args:
        study_dir: the study's folder.

    Example:
        >>> packed_file("runs/demo") is None
        True
    """
    path = Path(study_dir) / PACKED
    return path if path.is_file() and not (Path(study_dir) / "study.json").is_file() else None


@contextlib.contextmanager
def packed_arrays(path: Path) -> Iterator[Any]:
    """Opens a packed study for reading inside the context: its arrays by name.

    Raises:
        ValueError: the file is damaged, or of another format; the message names it.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            found = json.loads(bytes(stored[HEAD])).get("format")
            if found != FORMAT:
                raise ValueError(f"expected format {FORMAT}; received {found!r}")
            yield stored
    except UNREADABLE as error:
        raise ValueError(
            f"{path} is corrupt: expected a packed study; {type(error).__name__} on reading ({error}). Pack the study "
            "again, or fetch the file again."
        ) from error


def _head(path: Path) -> dict[str, Any]:
    with packed_arrays(path) as stored:
        head: dict[str, Any] = json.loads(bytes(stored[HEAD]))
        return head


def read_study(study_dir: str | Path) -> dict[str, Any]:
    """Returns the content of `study.json`: name, title, choices, versions, machine, `runs_planned` and more.

    A packed study is read as the one that was packed.

    Args:
        study_dir: the study's folder.

    Raises:
        FileNotFoundError: there is no study in that folder.

    Example:
        >>> read_study("runs/demo")["runs_planned"]
        24
    """
    path = Path(study_dir) / "study.json"
    packed = packed_file(study_dir)
    if packed is not None:
        path, study = packed, _head(packed)["study"]
    elif path.is_file():
        study = read_json(path, "Remove that file and run the study again: no run is trained anew.")
    else:
        raise FileNotFoundError(f"{study_dir} holds no study: expected the file {path}, or {PACKED} of a packed one.")
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
    packed = packed_file(study_dir)
    if packed is not None:
        return [str(why) for why in _head(packed)["revisions"]]
    path = Path(study_dir) / "plan.json"
    revisions = read_json(path, PLAN_REMEDY).get("revisions") if path.is_file() else []
    if not isinstance(revisions, list):
        raise ValueError(f"{path} is damaged: expected the list `revisions`; found {revisions!r}. {PLAN_REMEDY}")
    return [str(why) for why in revisions]
