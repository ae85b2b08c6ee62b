"""Trains one network, sparse or dense, and prints what it came to.

    python launchers/train.py
    python launchers/train.py --variant=BN --density=0.1 --epochs=30
    python launchers/train.py --matched_fraction=0.3
    python launchers/train.py --model=wide_resnet --density=0.1 --dry_run

Without flags it is a dense perceptron on the bundled digits. Each architecture
has a recipe by which it learns, and --help shows it: --model=resnet --help. A
network with `matched_fraction` f has as many active weights in each kernel as
the dense network whose layers have a fraction f of its units.
"""

from typing import Any

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.command_line.help_pages import Defaults, spec_defaults
from keras_sparseflow.launchers.command_line.previews import define_preview_flags, needs_tensorflow, only_told
from keras_sparseflow.launchers.flags import (
    define_executor_flags,
    define_run_flags,
    define_spec_flags,
    given_options,
    given_spec_values,
    load_training_as_given,
)
from keras_sparseflow.launchers.terminal import plain_errors, refuse_arguments
from keras_sparseflow.studies.presets.starting_points import starting_point
from keras_sparseflow.studies.spec.run_spec import LEAVES

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    define_spec_flags()
    define_run_flags()
    define_executor_flags("serial")
    define_preview_flags(presets=False)
    flags.DEFINE_string("study", None, "folder in runs_dir to join (default: networks-, then the images' name).")


def recipe_defaults(words: list[str]) -> Defaults:
    """Returns what flags have that are not given.

    Args:
        words: words of the command line beside the flags.
    """
    refuse_arguments(["", *words])
    return spec_defaults(f"a small {_model()} that learns the bundled digits.", starting_point(_model()))


def network_values() -> dict[str, Any]:
    """Returns the fields of the spec: those that flags give, and of the architecture's recipe the others."""
    return {**starting_point(_model()), **given_spec_values()}


def main(argv: list[str]) -> None:
    """Trains the network that the flags describe and prints its result."""
    with plain_errors(FLAGS.debug):
        refuse_arguments(argv)
        if needs_tensorflow():
            load_training_as_given()
        from keras_sparseflow.studies.executors.options import is_chief
        from keras_sparseflow.studies.executors.timing import print_time
        from keras_sparseflow.studies.printing import print_result, print_study
        from keras_sparseflow.studies.run_study import prepare_network, run_network

        options = given_options()
        how = {
            "study": FLAGS.study,
            "runs_dir": FLAGS.runs_dir,
            "data_dir": FLAGS.data_dir,
            "executor": FLAGS.executor,
            "options": options,
        }
        if only_told():
            print_study(prepared := prepare_network(network_values(), **how))
            print_time(prepared, FLAGS.executor, FLAGS.estimate)
            return
        folder = run_network(network_values(), **how, repair=FLAGS.repair)
        if is_chief(options):
            print_result(folder)


def _model() -> str:
    return str(FLAGS.model or LEAVES["model"].default)


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main, recipe_defaults)
