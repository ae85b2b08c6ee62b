"""The file of a study: its choices, its plan and its members."""

from pathlib import Path
from typing import Any

from keras_sparseflow.records.files import read_json


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
