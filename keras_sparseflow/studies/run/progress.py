"""Progress of a study: runs done, time left, current accuracy; a bar on a terminal, lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from keras_sparseflow.interruption import check_interruption
from keras_sparseflow.studies.spec.run_spec import RunSpec

LINE_SECONDS = 15.0
"""Without a terminal, a line is printed this often."""


class StudyProgress:
    """Shows the progress of a study while it is used as a context manager.

    The time left is that of the runs trained so far: epochs still to train over epochs a second.

    Args:
        specs_planned: every run of the study.
        console: console to show it on; None for standard output.

    Attributes:
        done: finished runs, skipped ones included.
        skipped: runs that had been finished before.
        diverged: runs that diverged in this process.
    """

    def __init__(self, specs_planned: Sequence[RunSpec], console: Console | None = None):
        self.done = self.skipped = self.diverged = 0
        self._console = console or Console()
        self._runs = len(specs_planned)
        self._epochs_left = {spec.run_id: spec.training.epochs for spec in specs_planned}
        self._epochs_trained = 0
        self._started = time.monotonic()
        self._line_at = self._started
        self._bar = _BarAndLine(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("runs,"),
            TimeElapsedColumn(),
            TextColumn("gone, {task.fields[left]} left"),
            console=self._console,
            disable=not self._console.is_terminal,
            expand=True,
        )
        self._task = self._bar.add_task("", total=self._runs, left="-:--:--")

    def __enter__(self) -> "StudyProgress":
        self._bar.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bar.stop()

    def epoch_of(self, spec: RunSpec) -> Callable[[int, dict[str, float]], None]:
        """Returns a function that a run calls after each epoch, with the epoch and its metrics."""

        def on_epoch(epoch: int, logs: dict[str, float] | None = None) -> None:
            self._epochs_trained += 1
            self._epochs_left[spec.run_id] = spec.training.epochs - epoch - 1
            accuracy = (logs or {}).get("val_accuracy", float("nan"))
            self.show(f"{spec.name}: epoch {epoch + 1}/{spec.training.epochs}, test accuracy {accuracy:.3f}")

        return on_epoch

    def say_of(self, spec: RunSpec) -> Callable[[str], None]:
        """Returns a function that a run calls before its first epoch, with a few words on what it does."""
        return lambda words: self.show(f"{spec.name}: {words}")

    def skip(self, spec: RunSpec) -> None:
        """Counts a run that had been finished before."""
        self.done += 1
        self.skipped += 1
        self._epochs_left[spec.run_id] = 0
        self.show(f"{spec.name}: finished before")

    def finish(self, spec: RunSpec, result: dict[str, Any]) -> None:
        """Counts a run that has just been finished."""
        self.done += 1
        self._epochs_left[spec.run_id] = 0
        self.diverged += bool(result["diverged"])
        self.show(f"{spec.name}: {'diverged' if result['diverged'] else 'finished'}")

    def refuse(self, spec: RunSpec, reason: str) -> None:
        """Says why a run is not trained, which stays unfinished."""
        self._epochs_left[spec.run_id] = 0
        self.note(f"Not trained: {spec.name}. {reason}")

    def note(self, text: str) -> None:
        """Prints a line that stays."""
        self._console.print(text, soft_wrap=not self._console.is_terminal, highlight=False)

    def time_left(self) -> str:
        """Returns the time left as h:mm:ss, or dashes before anything is trained."""
        if not self._epochs_trained:
            return "-:--:--"
        seconds = sum(self._epochs_left.values()) * (time.monotonic() - self._started) / self._epochs_trained
        return f"{int(seconds // 3600)}:{int(seconds // 60 % 60):02}:{int(seconds % 60):02}"

    def show(self, now: str) -> None:
        """Shows what is going on, with the runs done and the time left; raises KeyboardInterrupt after Ctrl-C."""
        check_interruption()
        left = self.time_left()
        self._bar.line = now
        self._bar.update(self._task, completed=self.done, left=left)
        if self._console.is_terminal:
            return
        if time.monotonic() - self._line_at >= LINE_SECONDS or self.done == self._runs:
            self._line_at = time.monotonic()
            self._console.print(f"{self.done}/{self._runs} runs, {left} left; {now}", soft_wrap=True, highlight=False)


class _BarAndLine(Progress):
    """A bar, and beneath it a line on what is going on, cut where the terminal ends."""

    line = ""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.line, "dim", no_wrap=True, overflow="ellipsis")
