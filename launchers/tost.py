r"""Trains sparse networks with the tweaks of ToST, on any mask, and without them; writes a report.

    python launchers/tost.py --preset=tost_4 --dataset=digits --model=resnet --depth=8 --width=1 --method=static \
        --density=0.1,0.02 --score=random,snip --epochs=10 --rescale_iterations=20 --seeds=0
    python launchers/tost.py --preset=tost_2_cifar10_resnet_32 --dry_run
    python launchers/tost.py --list_presets

A preset repeats a table or a figure of "Training Your Sparse Neural Network Better with Any Mask", at its full size;
other flags change it, and what they change is recorded. Runs that are finished are not trained again: after an
interruption type the command again.
"""

from absl import app, flags

from keras_sparseflow.experiments.density_flags import define_density_flags, run_given_study
from keras_sparseflow.experiments.flags import given_report_options, load_training_as_given
from keras_sparseflow.experiments.paper_tost import TOST_PRESETS
from keras_sparseflow.experiments.terminal import plain_errors, refuse_arguments

define_density_flags(TOST_PRESETS, "tost_4")


def main(argv: list[str]) -> None:
    with plain_errors(flags.FLAGS.debug):
        refuse_arguments(argv)
        load_training_as_given()
        from keras_sparseflow.analysis.report import write_report

        study_dir = run_given_study(TOST_PRESETS)
        if study_dir is not None:
            print(f"Report: {write_report(study_dir, **given_report_options()).resolve()}")


if __name__ == "__main__":
    app.run(main)
