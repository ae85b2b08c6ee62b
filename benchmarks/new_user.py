"""Plays a new user: every command of README and docs/index.md in order, with the seconds to first line and to end.

    python benchmarks/new_user.py           in an empty environment made from the built wheel and constraints.txt
    python benchmarks/new_user.py --here    in this environment
    python benchmarks/new_user.py --here --without=sparseflow-tost    all but one command

Commands run in an empty folder, one after the other, on a terminal of 80 columns; those of a checkout are typed as they
are once the wheel is installed. Silences while TensorFlow loads have a column of their own; the last two columns are
the longest other silence, and what had been said before it.
"""

import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from absl import app, flags
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/index.md")
INSTALLED = {"make demo": "sparseflow-scsdc --preset=demo"}
"""Commands of the checkout with their form once the wheel is installed; `make test` and `make docs` have none."""

LOADING = "oading TensorFlow"
"""What commands say before they load it."""

WITHOUT = flags.DEFINE_list("without", [], "commands that are left out.")
HERE = flags.DEFINE_bool("here", False, "use this environment.")


@dataclass
class Outcome:
    """Result of a command: its exit status, and seconds to its first line, to its end, and of its longest silences.

    `loading` is the longest silence while TensorFlow loads, `silent` the longest other one, and `after` what had been
    said before that one.
    """

    command: str
    first: float
    whole: float
    loading: float
    silent: float
    after: str
    status: int


def commands() -> list[str]:
    """Returns the commands of the pages, each once and as it is typed after installation."""
    text = "\n".join((ROOT / page).read_text() for page in PAGES)
    found = re.findall(
        r"(?:^ {4}|`)(make demo|(?:python launchers/\w+\.py|sparseflow-[\w-]+ [^\n`]+)[^\n`]*)", text, re.MULTILINE
    )
    named = [re.sub(r"^python launchers/(\w+)\.py", _installed, each) for each in found]
    return list(dict.fromkeys(INSTALLED.get(each, each) for each in named))


def _installed(launcher: re.Match[str]) -> str:
    return f"sparseflow-{launcher[1].replace('_', '-')}"


def new_environment(folder: Path) -> Path:
    """Makes an environment of the built wheel in a folder, and returns where its commands are."""
    print("Building the wheel and installing it into an empty environment.", file=sys.stderr, flush=True)
    build: list[str | Path] = ["-m", "build", "--wheel", "--no-isolation", "--outdir", folder / "dist", ROOT]
    subprocess.run([sys.executable, *build], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    pip: list[str | Path] = [
        folder / "venv" / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "-c",
        ROOT / "constraints.txt",
        wheel,
    ]
    subprocess.run(pip, check=True, env=_variables())
    return folder / "venv" / "bin"


def _variables() -> dict[str, str]:
    """Returns the environment's variables without those that lead Python to packages elsewhere, such as a checkout."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def played(command: str, folder: Path, binaries: Path) -> Outcome:
    """Runs a command on a terminal, and returns what was seen of it."""
    ours, theirs = pty.openpty()
    paths = os.pathsep.join([str(binaries), os.environ["PATH"]])
    began = last = time.monotonic()
    process = subprocess.Popen(
        ["sh", "-c", command],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**_variables(), "PATH": paths, "COLUMNS": "80", "TERM": "xterm"},
    )
    os.close(theirs)
    said, first, loading, silent, after = "", 0.0, 0.0, 0.0, ""
    while True:
        ready, _, _ = select.select([ours], [], [], 0.05)
        try:
            chunk = os.read(ours, 65536).decode(errors="replace") if ready else ""
        except OSError:  # the terminal is closed: the command has ended
            break
        if chunk:
            now = time.monotonic()
            first = first or now - began
            if LOADING in said:
                loading = max(loading, now - last)
            elif now - last > silent:
                silent, after = now - last, said
            said, last = chunk.strip()[-40:] or said, now
        elif process.poll() is not None:
            break
    os.close(ours)
    return Outcome(command, first, time.monotonic() - began, loading, silent, after, process.wait())


def outcomes(binaries: Path) -> list[Outcome]:
    """Plays every command in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for command in commands():
            if command not in WITHOUT.value:
                print(f"Playing: {command}", file=sys.stderr, flush=True)
                found.append(played(command, Path(folder), binaries))
        return found


def main(argv: list[str]) -> None:
    """Prints the table; the exit status is that of the worst command."""
    del argv
    with tempfile.TemporaryDirectory() as folder:
        found = outcomes(Path(sys.executable).parent if HERE.value else new_environment(Path(folder)))
    table = Table("command", "status", "first line, s", "end, s", "TensorFlow loads, s", "other silence, s", "after")
    for one in found:
        numbers = (f"{value:.1f}" for value in (one.first, one.whole, one.loading, one.silent))
        table.add_row(one.command, str(one.status), *numbers, one.after)
    Console(width=120).print(table)
    sys.exit(max(one.status for one in found))


if __name__ == "__main__":
    app.run(main)
