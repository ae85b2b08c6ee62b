"""The start of a launcher: as a script of a checkout, or as a command of an installed package."""

import sys
from collections.abc import Callable
from pathlib import Path

from absl import app, flags

from keras_sparseflow.checks import density_for
from keras_sparseflow.launchers.command_line.flag_files import define_flag_file_flags, write_flag_file
from keras_sparseflow.launchers.command_line.help_pages import Defaults, asked_for_help, define_help_flags, help_page
from keras_sparseflow.launchers.flags import define_plugin_flag
from keras_sparseflow.launchers.terminal import plain_errors

FLAGS = flags.FLAGS

PREFIX = "sparseflow-"
"""The start of every command's name; the launcher's name follows, with hyphens."""

flags.disclaim_key_flags()  # flags are those of the program that asks for them, and stand in its --help


def start(
    help: str | None,
    define_flags: Callable[[], None],
    main: Callable[[list[str]], None],
    defaults: Callable[[list[str]], Defaults] = lambda words: Defaults(),
) -> None:
    """Defines a launcher's flags and those of every launcher, parses the command line and runs it; ends the process.

    Args:
        help: text that `--help` prints before the flags, as `called` changes it.
        define_flags: defines the flags.
        main: function to run; it takes the words beside the flags, the program first.
        defaults: given those words without the program, gives the defaults that `--help` shows.
    """
    define_flags()
    define_common_flags()

    def parse(arguments: list[str]) -> list[str]:
        return parsed(arguments, called(help or "", sys.argv[0]), defaults)

    app.run(main, flags_parser=parse)


def define_common_flags() -> None:
    """Defines the flags that every launcher has."""
    define_plugin_flag()
    define_flag_file_flags()
    define_help_flags()


def parsed(arguments: list[str], help: str, defaults: Callable[[list[str]], Defaults]) -> list[str]:
    """Returns the words beside the flags, the program first; shows the help or saves the flags if that is asked for.

    Args:
        arguments: the command line.
        help: text before the flags in the help.
        defaults: see `start`.
    """
    with plain_errors():
        refuse_sparsity_flags(arguments)
    program, *words = app.parse_flags_with_usage(arguments)
    with plain_errors():
        if asked_for_help():
            print(help_page(help, defaults(words)))
            sys.exit(0)
        if FLAGS.write_flagfile is not None and not FLAGS.only_check_args:
            write_flag_file(Path(FLAGS.write_flagfile), words)
    return [program, *words]


def refuse_sparsity_flags(arguments: list[str]) -> None:
    """Raises ValueError for a flag such as --sparsity of a launcher that has --density, and says what to write.

    Args:
        arguments: the command line.
    """
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        name, equals, text = argument.lstrip("-").partition("=")
        if argument.startswith("-") and name not in FLAGS and "density" in FLAGS:
            values = [_number(each) for each in (text if equals else following).split(",")]
            if answer := density_for(name, values if len(values) > 1 else values[0], flag=True):
                raise ValueError(f"--{name} is not a flag: {answer}")


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def called(help: str, program: str) -> str:
    """Returns a launcher's help with its examples as this program is called.

    Args:
        help: text with examples that call the script of a checkout.
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
