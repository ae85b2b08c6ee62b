"""The way of a study through the package, from `run_study` to the first training step of the demo.

    python tests/path.py

Prints each module of `studies` that the study passes, indented below the one that calls it, and the function that is
called there first. The modules of `studies/spec` are one stop: a spec is made and asked there. At the end stand the
functions that the main line, `run_study.py` and `prepare.py`, calls more than once.
"""

import contextlib
import io
import sys
import tempfile
from collections import Counter
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import FrameType
from typing import Any

ROOM = "keras_sparseflow.studies"
MAIN_LINE = (f"{ROOM}.run_study", f"{ROOM}.prepare")


class _StepError(Exception):
    """The first training step is reached."""


class Way:
    """The stops of a study, in order, and what its main line calls.

    Attributes:
        stops: depth, module and function of the first call of each module.
        calls: how often the main line calls each function of another module.
    """

    def __init__(self) -> None:
        self.stops: dict[str, tuple[int, str]] = {}
        self.calls: Counter[str] = Counter()
        self._open: list[str] = []

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        """Notes a call or a return, as `sys.setprofile` tells it."""
        module, code = frame.f_globals.get("__name__", ""), frame.f_code
        if not module.startswith(ROOM) or not code.co_flags & CO_OPTIMIZED:  # a module's or a class's own lines
            return
        stop = f"{ROOM}.spec" if module.startswith(f"{ROOM}.spec") else module
        if event == "call":
            if stop not in self.stops:
                self.stops[stop] = (len(dict.fromkeys(self._open)), code.co_name)
            if self._open and self._open[-1] in MAIN_LINE and stop not in MAIN_LINE and not stop.endswith("spec"):
                self.calls[f"{stop}.{code.co_name}"] += 1
            self._open.append(stop)
        elif event == "return" and self._open:
            self._open.pop()


def walk() -> Way:
    """Returns the way of the demo."""
    from keras_sparseflow.studies.presets.preset_table import PRESETS
    from keras_sparseflow.studies.run_study import run_study
    from keras_sparseflow.training.population.trainer import Population

    def stop(*arguments: Any) -> None:
        raise _StepError

    way, first_step = Way(), Population.train_epoch
    Population.train_epoch = stop  # type: ignore[method-assign]
    try:
        study = PRESETS.get("demo")
        silent = contextlib.redirect_stdout(io.StringIO())
        with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_StepError), silent:
            sys.setprofile(way)
            run_study(study, runs_dir=Path(folder))
    finally:
        sys.setprofile(None)
        Population.train_epoch = first_step  # type: ignore[method-assign]
    return way


if __name__ == "__main__":
    way = walk()
    for module, (depth, function) in way.stops.items():
        print(f"{'  ' * depth}{module.removeprefix(ROOM + '.')}: {function}")
    print(f"{len(way.stops)} modules")
    for function, times in way.calls.items():
        if times > 1:
            print(f"{times} times: {function}")
