"""Trains one network, sparse or dense, and prints what it came to.

    python launchers/train.py --variant=BN --density=0.1 --epochs=30 --learning_rate=0.1
    python launchers/train.py --matched_fraction=0.3 --epochs=30 --learning_rate=0.1
    python launchers/train.py --width=20 --epochs=30 --learning_rate=0.1

A network with `matched_fraction` f has as many active weights in each kernel as the dense network whose layers have a
fraction f of its units.
"""

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.flags import (
    define_executor_flags,
    define_run_flags,
    define_spec_flags,
    given_options,
    given_spec_values,
    load_training_as_given,
)
from keras_sparseflow.launchers.terminal import plain_errors, refuse_arguments

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    define_spec_flags()
    define_run_flags()
    define_executor_flags("serial")
    flags.DEFINE_string("study", None, "folder in runs_dir to join (default: networks-, then the images' name).")


def main(argv: list[str]) -> None:
    """Trains the network that the flags describe and prints its result."""
    with plain_errors(FLAGS.debug):
        refuse_arguments(argv)
        load_training_as_given()
        from keras_sparseflow.studies.executors.options import is_chief
        from keras_sparseflow.studies.printing import print_result
        from keras_sparseflow.studies.run_study import run_network

        options = given_options()
        folder = run_network(
            given_spec_values(),
            study=FLAGS.study,
            runs_dir=FLAGS.runs_dir,
            data_dir=FLAGS.data_dir,
            executor=FLAGS.executor,
            options=options,
            repair=FLAGS.repair,
        )
        if is_chief(options):
            print_result(folder)


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main)
