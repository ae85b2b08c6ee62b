"""Writes the report of a study, finished or not: a page, and its tables and figures as files.

python launchers/report.py runs/demo
python launchers/report.py runs/demo --compare_by=test_loss --diverged=drop --measure=egf_1
"""

from absl import app, flags

from keras_sparseflow.analysis.report import write_report
from keras_sparseflow.analysis.view import FOLDER
from keras_sparseflow.experiments.flags import define_report_flags, given_report_options
from keras_sparseflow.experiments.terminal import plain_errors

OUTPUT = flags.DEFINE_string("output_dir", None, "where to write (default: the study's folder).")
FIGURES = flags.DEFINE_bool("figures", True, "write the figures as PNG and SVG too; the page holds them either way.")
DEBUG = flags.DEFINE_bool("debug", False, "show where in the code an error arose.")
define_report_flags()


def main(argv: list[str]) -> None:
    with plain_errors(DEBUG.value):
        if len(argv) != 2:
            raise ValueError(f"Name one study's folder, such as runs/demo; received {len(argv) - 1} arguments.")
        page = write_report(argv[1], OUTPUT.value, figures=FIGURES.value, **given_report_options()).resolve()
        print(f"Tables: {page.parent / FOLDER} (.csv, .md, .tex)")
        if FIGURES.value:
            print(f"Figures: {page.parent / FOLDER / 'figures'} (.png, .svg)")
        print(f"Report: {page}")


if __name__ == "__main__":
    app.run(main)
