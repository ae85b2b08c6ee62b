"""Command lines kept in files: --write_flagfile saves one, --flagfile reads it."""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from keras_sparseflow.launchers.command_line.help_pages import shown
from keras_sparseflow.records.files import write_atomic

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this

_NOT_KEPT = ("write_flagfile", "dry_run", "estimate", "list_presets")
"""Flags of one call, not of what it trains."""


def define_flag_file_flags() -> None:
    """Defines the flag that saves a command line, and describes the one of absl that reads it."""
    flags.DEFINE_string("flagfile", None, "read flags from this file, one a line, as if they stood here.")
    flags.DEFINE_string(
        "write_flagfile",
        None,
        "save the other flags in this file, one a line; --flagfile=FILE reads them, and flags after it count more.",
    )


def write_flag_file(path: Path, words: Sequence[str]) -> None:
    """Saves the words and the flags of the command line, those of files that it read included.

    Args:
        path: of the file.
        words: words of the command line beside the flags.
    """
    given = sorted(name for name in FLAGS if FLAGS[name].name == name and FLAGS[name].present)
    lines = [*words, *(_line(FLAGS[name]) for name in given if name not in _NOT_KEPT)]
    write_atomic(path, "".join(f"{line}\n" for line in lines).encode())


def _line(flag: flags.Flag) -> str:
    if flag.boolean:
        return f"--{flag.name}" if flag.value else f"--no{flag.name}"
    return f"--{flag.name}={shown(flag.value)}"
