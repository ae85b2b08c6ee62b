r"""Trains sparse networks with the tweaks of ToST, on any mask, and without them; writes a report.

    python launchers/tost.py
    python launchers/tost.py tost_4 --scale=small
    python launchers/tost.py --preset=all --scale=small
    python launchers/tost.py --preset=tost_2_cifar10_resnet_32 --dry_run
    python launchers/tost.py --list_presets

Without a preset it is a small ResNet on the bundled digits, with all tweaks and
without. A preset repeats a table or a figure of "Training Your Sparse Neural
Network Better with Any Mask", at its full size; other flags change it, and what
they change is recorded. Runs that are finished are not trained again: after an
interruption type the command again.
"""

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.study_launcher import define_study_flags, preset_defaults, train_and_report

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    define_study_flags("single_tweaks", "tost")


def main(argv: list[str]) -> None:
    """Trains the studies that the flags ask for and writes their reports, or prints what they would cost."""
    train_and_report(argv)


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main, preset_defaults)
