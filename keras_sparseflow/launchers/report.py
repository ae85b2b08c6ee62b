"""Writes the report of a study, finished or not: a page, and its tables and figures as files.

    python launchers/report.py runs/demo
    python launchers/report.py runs/demo --compare_by=test_loss --diverged=drop --measure=egf_1
    python launchers/report.py runs/demo --watch
    python launchers/report.py runs/demo --export=results/demo
    python launchers/report.py runs/a runs/b

Nothing is trained; flags say what is compared and drawn. With --watch the page is written anew as runs finish. Of
several studies a page is written that compares the others with the first. With --export the rows of all runs go to one
compressed file, small enough for a repository, and the page is written beside it, from it, compressed as well.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.flags import define_report_flags, given_report_options
from keras_sparseflow.launchers.terminal import plain_errors, working
from keras_sparseflow.records import pack_study, read_study
from keras_sparseflow.records.study_file import packed_file

FLAGS = flags.FLAGS

_PAUSE = 5.0
"""Seconds between two looks at a study that is watched."""

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    flags.DEFINE_string("output_dir", None, "where to write (default: the study's folder; of several, a new one).")
    flags.DEFINE_bool("figures", True, "write the figures as PNG and SVG too; the page holds them either way.")
    flags.DEFINE_bool("watch", False, "write the page anew whenever runs have finished, until all have.")
    flags.DEFINE_string(
        "export",
        None,
        "a folder: pack the rows of all runs into its file runs.npz, and write the report there, from it, with a page "
        "that is compressed too.",
    )
    flags.DEFINE_bool("debug", False, "show where in the code an error arose.")
    define_report_flags()


def main(argv: list[str]) -> None:
    """Writes the report of the study whose folder stands beside the flags, or of several, and prints where."""
    with plain_errors(FLAGS.debug):
        folders, options = argv[1:], given_report_options()
        if not folders:
            raise ValueError("Name the folder of a study, such as runs/demo, or of several; received none.")
        if len(folders) > 1 and "tau_over" in options:
            raise ValueError("--tau_over is for one study; received several.")
        if FLAGS.export and (len(folders) > 1 or FLAGS.watch or FLAGS.output_dir):
            raise ValueError("--export is for one study, without --watch and --output_dir; received others with it.")
        if len(folders) > 1:
            _compare(folders, options)
        elif FLAGS.export:
            packed = pack_study(folders[0], FLAGS.export)
            print(f"Rows: {packed.resolve()} ({packed.stat().st_size:,} bytes)")
            _report(FLAGS.export, {**options, "compress": True})
        elif FLAGS.watch and packed_file(folders[0]) is None:  # no run of a packed study is still to come
            watch(Path(folders[0]), lambda: _report(folders[0], options))
        else:
            _report(folders[0], options)


def watch(study_dir: Path, report: Callable[[], None], pause: float = _PAUSE) -> None:
    """Calls `report` whenever the number of finished runs has changed, until all runs of a study have finished.

    Args:
        study_dir: the study's folder.
        report: writes the report.
        pause: seconds between two looks.
    """
    reported = 0
    while True:
        runs = read_study(study_dir)["run_ids"]
        finished = sum((study_dir / run_id / "result.json").is_file() for run_id in runs)
        if finished != reported:
            report()
            reported = finished
            print(f"{finished} of {len(runs)} runs are finished.", flush=True)
        if finished == len(runs):
            return
        time.sleep(pause)


def _compare(folders: Sequence[str], options: dict[str, Any]) -> None:
    if FLAGS.watch or "measure" in options:
        raise ValueError("--watch and --measure are for one study; received several.")
    with working("Comparing the studies."):
        from keras_sparseflow.analysis.report.compared_studies import write_comparison

        page = write_comparison(folders, FLAGS.output_dir, **options).resolve()
    print(f"Report: {page}")


def _report(folder: str, options: dict[str, Any]) -> None:
    with working("Writing the report."):  # its modules, pandas and Matplotlib among them, take seconds to load
        from keras_sparseflow.analysis.report.page import FOLDER
        from keras_sparseflow.analysis.report.writing import write_report

        page = write_report(folder, FLAGS.output_dir, figures=FLAGS.figures, **options).resolve()
    print(f"Tables: {page.parent / FOLDER} (.csv, .md, .tex)")
    if FLAGS.figures:
        print(f"Figures: {page.parent / FOLDER / 'figures'} (.png, .svg)")
    print(f"Report: {page}")


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main)
