r"""Trains networks at several densities, with static, moving or pruned masks or as lottery tickets; writes a report.

    python launchers/wide_resnet.py
    python launchers/wide_resnet.py --method=static,magnitude --density=0.05,0.2,1
    python launchers/wide_resnet.py --dataset=cifar10 --data_dir=DIR --depth=16 --width=2
    python launchers/wide_resnet.py lottery --scale=small
    python launchers/wide_resnet.py --preset=wrn_random --dry_run
    python launchers/wide_resnet.py --list_presets

Without a preset it is a small Wide ResNet on the bundled digits, trained by the
recipe of its authors. A preset repeats a figure of a paper, at its full size;
other flags change it, and what they change is recorded. Runs that are finished
are not trained again: after an interruption type the command again, and to add
to a study type it with the values of before and the new ones.
"""

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.study_launcher import define_study_flags, preset_defaults, train_and_report

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    define_study_flags("single_density", "tessera")


def main(argv: list[str]) -> None:
    """Trains the studies that the flags ask for and writes their reports, or prints what they would cost."""
    train_and_report(argv)


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main, preset_defaults)
