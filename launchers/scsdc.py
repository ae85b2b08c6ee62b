r"""Compares sparse and dense networks of equal capacity over a grid, and writes a report.

    python launchers/scsdc.py --preset=demo
    python launchers/scsdc.py --preset=demo --dry_run
    python launchers/scsdc.py --dataset=fashion_mnist --data_dir=DIR --image_size=14 \
        --optimizer=sgd,adam --variant=NR,BN --learning_rate=0.01 --epochs=20 --study=fashion

Runs that are finished are not trained again: after an interruption, or to add to a study, type the
command again.
"""

from absl import app, flags

from keras_sparseflow.experiments.flags import (
    define_numbers,
    define_run_flags,
    define_spec_flags,
    given_options,
    given_spec_values,
    override,
)
from keras_sparseflow.experiments.presets import PRESETS
from keras_sparseflow.experiments.study import GRID_FIELDS
from keras_sparseflow.experiments.terminal import load_training_quietly, plain_errors

define_spec_flags(lists=GRID_FIELDS, without=("dense_width", "max_width", "arm", "seed"))
define_run_flags(executor="auto")
PRESET = flags.DEFINE_enum("preset", "single", PRESETS.names(), "the study to start from; other flags change it.")
STUDY = flags.DEFINE_string("study", None, "name of the study's folder (default: the preset's).")
SEEDS = define_numbers("seeds", int, "seeds; a matched pair for each, width and configuration (default: 0,1,2).")
WIDTHS = define_numbers(
    "width_fractions", float, "dense widths over the maximum width, in (0, 1] (default: 0.1,0.3,0.5,0.7,0.9)."
)
DRY_RUN = flags.DEFINE_bool("dry_run", False, "only print which networks would train together.")
MAX_WIDTH = flags.DEFINE_integer("max_width", None, "width of the sparse arm (default: inputs + 4).", lower_bound=1)


def main(argv: list[str]) -> None:
    del argv
    with plain_errors(flags.FLAGS.debug):
        load_training_quietly(flags.FLAGS.executor)
        from keras_sparseflow.analysis.report import write_report
        from keras_sparseflow.experiments.launch import plan_study, run_study
        from keras_sparseflow.experiments.summary import print_plan

        study = override(
            PRESETS.get(PRESET.value),
            given_spec_values(),
            name=STUDY.value,
            seeds=SEEDS.value,
            width_fractions=WIDTHS.value,
            max_width=MAX_WIDTH.value,
        )
        flag = flags.FLAGS
        where = {"runs_dir": flag.runs_dir, "data_dir": flag.data_dir, "options": given_options()}
        if DRY_RUN.value:
            print_plan(plan_study(study, executor=flag.executor, **where))
            return
        study_dir = run_study(study, executor=flag.executor, **where)
        print(f"Report: {write_report(study_dir).resolve()}")


if __name__ == "__main__":
    app.run(main)
