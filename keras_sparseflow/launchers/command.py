"""How a launcher starts: as a script of a checkout, or as a command of an installed package."""

import sys
from collections.abc import Callable
from pathlib import Path

from absl import app, flags

from keras_sparseflow.launchers.flags import define_plugin_flag

PREFIX = "sparseflow-"
"""What the names of commands begin with; the launcher's name follows, with hyphens."""

flags.disclaim_key_flags()  # flags are those of the program that asks for them, and stand in its --help


def start(help: str | None, define_flags: Callable[[], None], main: Callable[[list[str]], None]) -> None:
    """Defines a launcher's flags and --list_plugins, parses the command line and runs it; ends the process.

    Args:
        help: what `--help` prints before the flags, as `called` changes it.
        define_flags: defines the flags.
        main: what is run; it takes the words beside the flags, the program first.
    """
    define_flags()
    define_plugin_flag()
    sys.modules["__main__"].__doc__ = called(help or "", sys.argv[0])
    app.run(main)


def called(help: str, program: str) -> str:
    """Returns a launcher's help with its examples as this program is called.

    Args:
        help: whose examples call the script of a checkout.
        program: the first word of the command line: that script, or the command of an installed package.

    Example:
        >>> called("python launchers/wide_resnet.py --dry_run", "/usr/bin/sparseflow-wide-resnet")
        'sparseflow-wide-resnet --dry_run'
        >>> called("python launchers/wide_resnet.py --dry_run", "launchers/wide_resnet.py")
        'python launchers/wide_resnet.py --dry_run'
    """
    command = Path(program).stem
    if not command.startswith(PREFIX):
        return help
    name = command.removeprefix(PREFIX).replace("-", "_")
    return help.replace(f"python launchers/{name}.py", command)
