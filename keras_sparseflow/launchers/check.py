"""Says whether the files of a study are as they were written, run by run.

    python launchers/check.py runs/demo
    python launchers/check.py runs/demo --arrays

Nothing is trained or changed. A damaged run is trained anew by the study's own command with --repair.
"""

from pathlib import Path

from absl import flags

from keras_sparseflow.launchers.command import start
from keras_sparseflow.launchers.terminal import plain_errors
from keras_sparseflow.records import RunFolder, damaged_runs, read_results, read_study
from keras_sparseflow.records.study_file import packed_file
from keras_sparseflow.studies.spec.saved import saved_spec

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # they stand in the --help of the program that starts this


def define_flags() -> None:
    """Defines every flag of the launcher."""
    flags.DEFINE_bool("arrays", False, "look at stored weights and masks too, which may be large.")
    flags.DEFINE_bool("debug", False, "show where in the code an error arose.")


def main(argv: list[str]) -> None:
    """Prints each damaged run of the study whose folder stands beside the flags; raises SystemExit if there is one."""
    with plain_errors(FLAGS.debug):
        if len(argv) != 2:
            raise ValueError(f"Name one study's folder, such as runs/demo; received {len(argv) - 1} arguments.")
        study_dir = Path(argv[1])
        if packed_file(study_dir) is not None:
            damaged_runs(study_dir)  # it raises a ValueError if the file is damaged
            print(f"{len(set(read_results(study_dir)['run_id']))} packed runs are whole.")
            return
        runs = read_study(study_dir)["run_ids"]
        folders = [RunFolder(study_dir, run_id) for run_id in runs]
        finished = [folder for folder in folders if folder.finished]
        damaged = damaged_runs(study_dir, arrays=FLAGS.arrays)
        for folder in finished:
            if folder.run_id not in damaged and (wrong := _other_spec(folder)):
                damaged[folder.run_id] = wrong
    for run_id, damage in damaged.items():
        print(f"damaged: {run_id}\n  {damage}")
    sound = len(finished) - len(damaged)
    print(f"{sound} of {len(runs)} runs are whole, {len(damaged)} damaged, {len(runs) - len(finished)} not finished.")
    if damaged:
        print("Type the study's command again with --repair: damaged runs alone are trained anew.")
        raise SystemExit(1)


def _other_spec(folder: RunFolder) -> str:
    """Returns what is wrong with a run whose spec has another id; "" where it has this one."""
    path = folder.path / "spec.json"
    found = saved_spec(path).run_id
    return "" if found == folder.run_id else f"{path}: expected the spec of {folder.run_id}; found that of {found}"


def run() -> None:
    """Runs the launcher with the flags of the command line; ends the process."""
    start(__doc__, define_flags, main)
