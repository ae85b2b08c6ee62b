"""Python programs in processes of their own, forked from one that has imported what they import and done nothing else.

TensorFlow takes seconds to import and nothing to fork. In the process that is forked no flag is defined, TensorFlow
has not started, and no test has run.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import types
from pathlib import Path

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    [
        "keras_sparseflow.analysis.report.writing",
        "keras_sparseflow.studies.run_study",
        "keras_sparseflow.studies.executors.populations",
        "keras_sparseflow.studies.run.run",
        "matplotlib.backends.backend_agg",
        "matplotlib.backends.backend_svg",
    ]
)


class Program:
    """A running Python program.

    Args:
        program: a `Path` of a file, or a string of code.
        arguments: the rest of its command line.
        cwd: the directory that it runs in; None for this one.
        env: its whole environment; None for this one.
    """

    def __init__(self, program, *arguments, cwd=None, env=None):
        self._args = [str(program), *arguments]
        self._folder = tempfile.TemporaryDirectory()
        self._printed = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        place = (str(cwd or Path.cwd()), dict(os.environ if env is None else env))
        self._process = _FORKS.Process(target=_become, args=(program, self._args, *place, self._printed))
        self._process.start()

    def poll(self):
        """Returns its exit status, minus the number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def kill(self):
        self._process.kill()

    def end(self, timeout=None):
        """Returns what `subprocess.run` does, once it has ended; after that many seconds it is killed."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            self.kill()
            self._process.join()
        printed = [path.read_text() for path in self._printed]
        self._folder.cleanup()
        return subprocess.CompletedProcess(self._args, self._process.exitcode, *printed)


def run(program, *arguments, **place):
    """Runs a program to its end, see `Program`; returns what `subprocess.run` does."""
    return Program(program, *arguments, **place).end()


def _become(program, args, cwd, env, printed):
    """Runs a program in this process, with its own output, directory, environment and `__main__`."""
    for descriptor, path in zip((1, 2), printed, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    if isinstance(program, Path):
        sys.argv, sys.path[:0] = args, [str(program.parent)]
        runpy.run_path(str(program), run_name="__main__")
    else:
        sys.argv, sys.path[:0] = ["-c", *args[1:]], [""]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(program, "<string>", "exec"), vars(main))
