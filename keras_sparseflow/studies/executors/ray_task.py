"""One task of a study on a machine of a Ray cluster, and the letters by which it tells the driver of its progress."""

import functools
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sparseflow.data import ImageData
from keras_sparseflow.records import read_json, write_json
from keras_sparseflow.studies.executors.executors import stacked
from keras_sparseflow.studies.executors.stored_plan import Platform, platform_here
from keras_sparseflow.studies.prepare import Prepared
from keras_sparseflow.studies.spec.fields import load_plugins
from keras_sparseflow.studies.spec.run_spec import RunSpec

_VISIBLE_SECONDS = 10.0
"""A network file system shows a new file to other machines within some seconds."""

_LETTER_SECONDS = 0.5
"""Letters are sent this often at most."""

Letter = tuple[str, str, Any]
"""A method of `StudyProgress`, the id of a run or "", and its argument."""


class UnsharedError(RuntimeError):
    """A machine whose folder of runs is not the driver's."""


@dataclass(frozen=True)
class Launch:
    """One start of a study on a cluster, as the file `.launch` in its folder tells it.

    Args:
        number: grows with every start.
        nonce: a word that nobody else has.
    """

    number: int
    nonce: str

    @classmethod
    def new(cls, study_dir: Path) -> "Launch":
        """Returns the next launch of a study, written into its folder."""
        path = study_dir / ".launch"
        before = int(read_json(path).get("number", 0)) if path.is_file() else 0
        launch = cls(before + 1, os.urandom(8).hex())
        write_json(path, {"number": launch.number, "nonce": launch.nonce})
        return launch

    def check_shared(self, study_dir: Path) -> None:
        """Refuses to work in a folder of the same name that is not the driver's.

        Raises:
            UnsharedError: the folder does not hold this launch.
        """
        end = time.monotonic() + _VISIBLE_SECONDS
        while not self._is_in(study_dir):
            if time.monotonic() > end:
                raise UnsharedError(
                    f"{study_dir} on {socket.gethostname()} is not the folder that the launcher writes to: give a "
                    "--runs_dir on a file system that all machines of the cluster share under one path."
                )
            time.sleep(0.2)

    def _is_in(self, study_dir: Path) -> bool:
        try:
            return read_json(study_dir / ".launch") == {"number": self.number, "nonce": self.nonce}
        except FileNotFoundError:
            return False


class Letters:
    """The progress of a task, in place of a `StudyProgress`: letters to the driver.

    Args:
        send: takes a list of letters.
    """

    def __init__(self, send: Callable[[list[Letter]], Any]):
        self._send = send
        self._unsent: list[Letter] = []
        self._sent = 0.0

    def epoch_of(self, spec: RunSpec) -> Callable[[int, dict[str, float]], None]:
        return lambda epoch, logs: self._write(
            "epoch_of", spec.run_id, (epoch, {"val_accuracy": float(logs["val_accuracy"])})
        )

    def say_of(self, spec: RunSpec) -> Callable[[str], None]:
        return lambda words: self._write("say_of", spec.run_id, (words,))

    def skip(self, spec: RunSpec) -> None:
        self._write("skip", spec.run_id, None)

    def finish(self, spec: RunSpec, result: dict[str, Any]) -> None:
        self._write("finish", spec.run_id, {"diverged": result["diverged"]})

    def refuse(self, spec: RunSpec, reason: str) -> None:
        self._write("refuse", spec.run_id, reason)

    def note(self, text: str) -> None:
        self._write("note", "", text)

    def show(self, now: str) -> None:
        self._write("show", "", now)

    def flush(self) -> Any:
        """Sends what is written; returns what `send` does."""
        letters, self._unsent = self._unsent, []
        self._sent = time.monotonic()
        return self._send(letters)

    def _write(self, *letter: Any) -> None:
        if self._unsent and letter[0] in ("say_of", "show") and self._unsent[-1][0] == letter[0]:
            self._unsent.pop()  # the last words alone are shown
        self._unsent.append(letter)
        if time.monotonic() - self._sent >= _LETTER_SECONDS:
            self.flush()


def train_task(
    part: Prepared, run_ids: list[str], data: ImageData, planned: Platform, launch: Launch, letters: Letters
) -> None:
    """Trains one task of a study, in a process that Ray has started for it.

    Args:
        part: the task.
        run_ids: of its runs, as the driver names them.
        data: the study's images.
        planned: setting for which the study is planned.
        launch: of the driver.
        letters: tell the driver of the progress.

    Raises:
        UnsharedError: the folder of runs here is another one than the driver's.
        RuntimeError: fewer cores than planned threads, or other versions of plugins than the driver's.
    """
    launch.check_shared(part.study_dir)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    options = part.options
    _set_up(options.memory_growth, options.deterministic, planned.threads)
    load_plugins(part.specs)
    found = [spec.but().run_id for spec in part.specs]
    if found != run_ids:
        raise RuntimeError(
            f"{socket.gethostname()} has other versions of this package or its plugins than the launcher: a run is "
            f"{next(b for a, b in zip(run_ids, found, strict=True) if a != b)}."
        )
    if unlike := planned.unlike(platform_here(options)):
        letters.note(f"Last bits may differ on {socket.gethostname()} from those of the plan: {unlike}.")
    stacked(part, data, letters)  # type: ignore[arg-type]


@functools.cache
def _set_up(memory_growth: bool, deterministic: bool, threads: int | None) -> None:
    """Sets TensorFlow up, once in a process that trains several tasks."""
    from keras_sparseflow.training.distributed.device import set_up

    set_up(memory_growth=memory_growth, deterministic=deterministic, threads=threads)
