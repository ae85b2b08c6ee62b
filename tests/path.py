"""The way of a study through the package, from `run_study` to the first training step of the demo.

    python tests/path.py

Prints each module that the study passes and what is called there, in the order in which they are first reached; indented
are those that are called by the module above. Helpers that a module calls again and again stand once. `at` says how many
phases of the way come back to the module: a phase is what `run_study.py` and `executors/` call themselves.
"""

import contextlib
import io
import sys
import tempfile
from pathlib import Path
from types import FrameType
from typing import Any

PACKAGE = "keras_sparseflow"
FLOW = ("studies", "launchers")
"""Rooms through which a study passes; those below are their tools."""


class _StepError(Exception):
    """The first training step is reached."""


def way() -> list[tuple[int, str, str]]:
    """Returns depth, module and function of each module's first call, in order."""
    from keras_sparseflow.studies.presets.preset_table import PRESETS
    from keras_sparseflow.studies.run_study import run_study
    from keras_sparseflow.training.population.trainer import Population

    seen: dict[str, None] = {}
    found: list[tuple[int, str, str]] = []
    depth: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        if not module.startswith(f"{PACKAGE}.studies"):
            return
        if event == "call" and frame.f_code.co_name != "<module>":
            depth.append(module)
            if module not in seen:
                seen[module] = None
                found.append((len(dict.fromkeys(depth)) - 1, module, frame.f_code.co_name))
        elif event == "return" and depth and frame.f_code.co_name != "<module>":
            depth.pop()

    def stop(*arguments: Any) -> None:
        raise _StepError

    Population.train_epoch = stop  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_StepError):
        study = PRESETS.get("demo")
        with contextlib.redirect_stdout(io.StringIO()):
            sys.setprofile(profile)
            try:
                run_study(study, runs_dir=Path(folder))
            finally:
                sys.setprofile(None)
    return found


if __name__ == "__main__":
    passed = way()
    for depth, module, function in passed:
        print(f"{'  ' * depth}{module.removeprefix(PACKAGE + '.')}: {function}")
    print(f"{len(passed)} modules")
