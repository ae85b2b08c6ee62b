r"""Compares sparse and dense networks of equal capacity over a grid, and writes a report.

    python launchers/scsdc.py
    python launchers/scsdc.py demo
    python launchers/scsdc.py --preset=table_4 --image_size=14 --train_size=20000 --epochs=25
    python launchers/scsdc.py --preset=table_4 --dry_run
    python launchers/scsdc.py --list_presets --image_size=8 --epochs=10 --train_size=5000
    python launchers/scsdc.py --dataset=fashion_mnist --data_dir=DIR --image_size=14 \
        --optimizer=sgd,adam --variant=NR,BN --learning_rate=0.01 --epochs=20 --study=fashion

Without a preset it is one configuration of small perceptrons on the bundled
digits. A preset repeats a table or a figure of a paper; other flags change it,
and what they change is recorded. Runs that are finished are not trained again:
after an interruption, or to add to a study, type the command again.
"""

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.study_launcher import define_study_flags, preset_defaults, train_and_report

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    define_study_flags("single", "tessera")


def main(argv: list[str]) -> None:
    """Trains the studies that the flags ask for and writes their reports, or prints what they would cost."""
    train_and_report(argv)


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main, preset_defaults)
