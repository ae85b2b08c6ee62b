r"""Compares sparse and dense networks of equal capacity over a grid, and writes a report.

    python launchers/scsdc.py --preset=demo
    python launchers/scsdc.py --preset=table_4 --image_size=14 --train_size=20000 --epochs=25
    python launchers/scsdc.py --preset=table_4 --dry_run
    python launchers/scsdc.py --list_presets --image_size=8 --epochs=10 --train_size=5000
    python launchers/scsdc.py --dataset=fashion_mnist --data_dir=DIR --image_size=14 \
        --optimizer=sgd,adam --variant=NR,BN --learning_rate=0.01 --epochs=20 --study=fashion

A preset repeats a table or a figure of a paper; other flags change it, and what they change is recorded. Runs that are
finished are not trained again: after an interruption, or to add to a study, type the command again.
"""

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.flags import (
    define_executor_flags,
    define_name,
    define_numbers,
    define_preview_flags,
    define_report_flags,
    define_run_flags,
    define_spec_flags,
    given_options,
    given_report_options,
    given_spec_values,
    listed_presets,
    load_training_as_given,
    override,
)
from keras_sparseflow.launchers.terminal import plain_errors, refuse_arguments
from keras_sparseflow.studies.presets.preset_table import PRESETS, preset_names, studies_of
from keras_sparseflow.studies.study import Study

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    define_spec_flags(lists=Study.grid_fields, without=Study.derived_fields)
    define_run_flags()
    define_executor_flags("auto")
    define_report_flags()
    define_preview_flags()
    define_name("preset", "single", PRESETS.kind, preset_names(), "the study to start from; other flags change it.")
    flags.DEFINE_string("study", None, "name of the study's folder (default: the preset's).")
    define_numbers("seeds", int, "seeds; a matched pair for each, width and configuration (default: 0,1,2).")
    define_numbers(
        "width_fractions", float, "dense widths over the maximum width, in (0, 1] (default: 0.1,0.3,0.5,0.7,0.9)."
    )
    flags.DEFINE_integer("max_width", None, "width of the sparse arm (default: inputs + 4).", lower_bound=1)


def main(argv: list[str]) -> None:
    """Trains the studies that the flags ask for and writes their reports, or prints what they would cost."""
    with plain_errors(FLAGS.debug):
        refuse_arguments(argv)
        load_training_as_given()
        from keras_sparseflow.analysis.report import write_report
        from keras_sparseflow.studies.executors.devices import is_chief
        from keras_sparseflow.studies.launch import check_data, preview_studies, preview_study, run_study

        how = {"data_dir": FLAGS.data_dir, "executor": FLAGS.executor, "options": given_options()}
        if FLAGS.list_presets:
            preview_studies([_changed(study) for study in listed_presets(PRESETS)], **how)
            return
        studies = chosen_studies()
        if len(studies) > 1 and not FLAGS.dry_run:
            check_data(studies, data_dir=FLAGS.data_dir)
        for study in studies:
            if FLAGS.dry_run:
                preview_study(study, runs_dir=FLAGS.runs_dir, **how)
                continue
            study_dir = run_study(study, runs_dir=FLAGS.runs_dir, **how)
            if is_chief(how["options"]):
                print(f"Report: {write_report(study_dir, **given_report_options()).resolve()}")


def chosen_studies() -> list[Study]:
    """Returns the preset that the flags name, changed as they say; a group of presets is several studies."""
    studies = studies_of(FLAGS.preset)
    if len(studies) > 1 and FLAGS.study is not None:
        names = ", ".join(study.name for study in studies)
        raise ValueError(f"`study` names one folder, but {FLAGS.preset} is the studies {names}; name one as `preset`.")
    return [_changed(study, name=FLAGS.study) for study in studies]


def _changed(study: Study, name: str | None = None) -> Study:
    return override(
        study,
        given_spec_values(),
        name=name,
        seeds=FLAGS.seeds,
        width_fractions=FLAGS.width_fractions,
        max_width=FLAGS.max_width,
    )


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main)
