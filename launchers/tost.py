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

from keras_sparseflow.experiments.density_flags import define_density_flags, given_study, listed_studies
from keras_sparseflow.experiments.flags import (
    given_executor,
    given_options,
    given_report_options,
    load_training_as_given,
)
from keras_sparseflow.experiments.paper_tost import TOST_PRESETS
from keras_sparseflow.experiments.terminal import plain_errors, refuse_arguments

define_density_flags(TOST_PRESETS, "tost_4")


def main(argv: list[str]) -> None:
    with plain_errors(flags.FLAGS.debug):
        refuse_arguments(argv)
        load_training_as_given()
        from keras_sparseflow.analysis.report import write_report
        from keras_sparseflow.experiments.devices import is_chief
        from keras_sparseflow.experiments.launch import preview_studies, preview_study, run_study

        flag = flags.FLAGS
        how = {"data_dir": flag.data_dir, "executor": given_executor(), "options": given_options()}
        if flag.list_presets:
            preview_studies(listed_studies(TOST_PRESETS), **how)
            return
        study = given_study(TOST_PRESETS)
        if flag.dry_run:
            preview_study(study, runs_dir=flag.runs_dir, **how)
            return
        study_dir = run_study(study, runs_dir=flag.runs_dir, **how)
        if is_chief(how["options"]):
            print(f"Report: {write_report(study_dir, **given_report_options()).resolve()}")


if __name__ == "__main__":
    app.run(main)
