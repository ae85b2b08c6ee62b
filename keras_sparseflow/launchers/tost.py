r"""Trains sparse networks with the tweaks of ToST, on any mask, and without them; writes a report.

    python launchers/tost.py --preset=tost_4 --dataset=digits --model=resnet --depth=8 --width=1 --method=static \
        --density=0.1,0.02 --score=random,snip --epochs=10 --rescale_iterations=20 --seeds=0
    python launchers/tost.py --preset=tost_2_cifar10_resnet_32 --dry_run
    python launchers/tost.py --list_presets

A preset repeats a table or a figure of "Training Your Sparse Neural Network Better with Any Mask", at its full size;
other flags change it, and what they change is recorded. Runs that are finished are not trained again: after an
interruption type the command again.
"""

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.study_launcher import define_study_flags, train_and_report

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    define_study_flags("tost_4")


def main(argv: list[str]) -> None:
    """Trains the studies that the flags ask for and writes their reports, or prints what they would cost."""
    train_and_report(argv)


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main)
