"""What the launchers of density studies do with their flags."""

from absl import flags

from keras_sparseflow.launchers.density_flags import run_given_study
from keras_sparseflow.launchers.flags import given_report_options, load_training_as_given
from keras_sparseflow.launchers.terminal import plain_errors, refuse_arguments
from keras_sparseflow.plugins import Table


def train_and_report(argv: list[str], presets: Table) -> None:
    """Trains the study that the flags ask for and writes its report, or prints what it would cost.

    Args:
        argv: the words beside the flags, the program first.
        presets: the studies that can be named.
    """
    with plain_errors(flags.FLAGS.debug):
        refuse_arguments(argv)
        load_training_as_given()
        from keras_sparseflow.analysis.report import write_report

        study_dir = run_given_study(presets)
        if study_dir is not None:
            print(f"Report: {write_report(study_dir, **given_report_options()).resolve()}")
