"""Writes the report of a study, finished or not.

python launchers/report.py runs/demo
"""

from absl import app, flags

from keras_sparseflow.analysis.report import write_report
from keras_sparseflow.experiments.terminal import plain_errors

OUTPUT = flags.DEFINE_string("output_dir", None, "where to write (default: the study's folder).")
DEBUG = flags.DEFINE_bool("debug", False, "show where in the code an error arose.")


def main(argv: list[str]) -> None:
    with plain_errors(DEBUG.value):
        if len(argv) != 2:
            raise ValueError(f"Name one study's folder, such as runs/demo; received {len(argv) - 1} arguments.")
        print(f"Report: {write_report(argv[1], OUTPUT.value).resolve()}")


if __name__ == "__main__":
    app.run(main)
