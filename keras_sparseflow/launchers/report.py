"""Writes the report of a study, finished or not: a page, and its tables and figures as files.

    python launchers/report.py runs/demo
    python launchers/report.py runs/demo --compare_by=test_loss --diverged=drop --measure=egf_1

Nothing is trained; flags say what is compared and drawn.
"""

from absl import flags

from keras_sparseflow.analysis.report.page import FOLDER
from keras_sparseflow.analysis.report.writing import write_report
from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.flags import define_report_flags, given_report_options
from keras_sparseflow.launchers.terminal import plain_errors

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    flags.DEFINE_string("output_dir", None, "where to write (default: the study's folder).")
    flags.DEFINE_bool("figures", True, "write the figures as PNG and SVG too; the page holds them either way.")
    flags.DEFINE_bool("debug", False, "show where in the code an error arose.")
    define_report_flags()


def main(argv: list[str]) -> None:
    """Writes the report of the study whose folder stands beside the flags, and prints where."""
    with plain_errors(FLAGS.debug):
        if len(argv) != 2:
            raise ValueError(f"Name one study's folder, such as runs/demo; received {len(argv) - 1} arguments.")
        page = write_report(argv[1], FLAGS.output_dir, figures=FLAGS.figures, **given_report_options()).resolve()
        print(f"Tables: {page.parent / FOLDER} (.csv, .md, .tex)")
        if FLAGS.figures:
            print(f"Figures: {page.parent / FOLDER / 'figures'} (.png, .svg)")
        print(f"Report: {page}")


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main)
