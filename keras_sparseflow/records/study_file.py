"""The file of a study: its choices, its plan and its members."""

from pathlib import Path
from typing import Any

from keras_sparseflow.records.files import PLAN_REMEDY, read_json


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
