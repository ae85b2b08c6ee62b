"""The origin of results: versions, machine and command, as a study and its runs record them."""

import functools
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

PACKAGES = ("keras_sparseflow", "keras", "tensorflow", "tensorflow-datasets", "numpy", "scipy", "pandas")


@functools.cache
def versions() -> dict[str, str]:
    """Returns the versions of Python, of the packages that decide results, and the commit of this code."""
    return {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}, "commit": _commit()}


def plugin_versions(plugins: Iterable[str]) -> dict[str, str]:
    """Returns versions by name, given plugins as specs record them.

    Example:
        >>> plugin_versions(["my-masks 1.2", "__main__.my_score"])
        {'__main__.my_score': 'no version', 'my-masks': '1.2'}
    """
    parted = (plugin.partition(" ") for plugin in sorted(plugins))
    return {name: version or "no version" for name, _, version in parted}


def machine() -> dict[str, str]:
    """Returns what the results were computed on."""
    processor = platform.processor() or platform.machine()
    return {"system": platform.platform(), "processor": processor, "cores": str(os.cpu_count())}


def command_line() -> str:
    """Returns the command that was typed: a script of a checkout, or an installed command without its folder."""
    program, *arguments = sys.argv
    typed = ["python", program] if program.endswith(".py") else [Path(program).name]
    return shlex.join([*typed, *arguments])


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Returns the commit of the checkout this file is tracked in."""
    here = Path(__file__).resolve()
    try:
        for arguments in (
            ["ls-files", "--error-unmatch", here.name],
            ["describe", "--always", "--dirty", "--abbrev=12"],
        ):
            done = subprocess.run(
                ["git", "-C", str(here.parent), *arguments], capture_output=True, text=True, timeout=10, check=True
            )
    except (OSError, subprocess.SubprocessError):
        return "unknown: not in a git checkout"
    return done.stdout.strip()
