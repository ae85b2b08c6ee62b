"""The launchers in processes of their own: help, a quiet start, a study from its first line to its report, Ctrl-C."""

import configparser
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_sparseflow import records
from keras_sparseflow.records.integrity import without_digests
from tests.launchers.commands import ROOT, STUDY, TINY, launch
from tests.processes import Program

LAUNCHERS = sorted(path.stem for path in (ROOT / "launchers").glob("*.py"))


def launch_from_the_start(launcher, *arguments, **options):
    """Starts a launcher as a shell does, imports included."""
    command = [sys.executable, str(launcher), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def last_line(text):
    return text.strip().splitlines()[-1]


# --- help and errors --------------------------------------------------------------------------------------------

STUDY_FLAGS = (
    *("--optimizer: optimizer by name", "one of sgd, momentum, adam, adamw, adagrad, rmsprop; several", "--max_width"),
    *(
        "Defaults are those of preset",
        "--density: share of the kernels' weights",
        "--method: method that makes the network sparse",
    ),
    *("--tweaks: tweaks of ToST: none, tost for all", "--rounds", "--strategy", "--runs_dir", "--executor"),
)
SHOWN = {
    "scsdc": STUDY_FLAGS,
    "wide_resnet": ("python launchers/wide_resnet.py --preset=wrn_random --dry_run", *STUDY_FLAGS),
    "tost": ("python launchers/tost.py --preset=tost_2_cifar10_resnet_32 --dry_run", *STUDY_FLAGS),
    "train": ("--matched_fraction", "--seed:", "--executor"),
    "report": ("--compare_by", "--output_dir", "--watch"),
    "check": ("--arrays",),
    "activations": ("python launchers/activations.py --activation=relu,gelu", "(default: relu,prelu,elu,swish,srelu,"),
}


@pytest.mark.parametrize("name", LAUNCHERS)
def test_help_shows_how_to_call_it_and_every_flag(name):
    text = " ".join(launch(name, "--help").stdout.split())
    for words in (f"python launchers/{name}.py", *SHOWN[name]):
        assert words in text, words


def test_help_loads_no_tensorflow():
    code = "import runpy, sys\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    code += "finally: print('tensorflow' in sys.modules)"
    for name in ("activations", "scsdc"):
        code = f"import sys; sys.argv = [{str(ROOT / 'launchers' / f'{name}.py')!r}, '--help']\n{code}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout.split()[-1] == "False", done.stderr


def test_every_launcher_is_a_command():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].split("\n")
    declared = dict(line.split(" = ") for line in lines if line)
    modules = {name: f"keras_sparseflow.launchers.{name}:run" for name in LAUNCHERS}
    modules["activations"] = "keras_sparseflow.launchers.activation_figures:run"
    assert declared == {f"sparseflow-{name.replace('_', '-')}": module for name, module in modules.items()}


def test_bad_flags_end_in_a_line_and_debug_shows_where_an_error_arose(tmp_path):
    bad = launch("scsdc", "--optimizer=sdg", f"--runs_dir={tmp_path}")
    assert bad.returncode == 1 and "flag --optimizer=sdg: Unknown optimizer 'sdg'" in bad.stderr
    refused = launch("scsdc", "--width_fractions=90", f"--runs_dir={tmp_path}")
    assert refused.returncode == 1 and last_line(refused.stderr).startswith(
        "error: `width_fractions` must be a number above 0"
    )
    assert "Traceback" not in bad.stderr + refused.stderr and not list(tmp_path.iterdir())
    debug = launch("report", str(tmp_path), "--debug")
    assert debug.returncode == 1 and "Traceback" in debug.stderr and "holds no study" in debug.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "received none"),
        (["a", "b"], "`study_dir` must be the folder of a study"),
        (["a", "b", "--watch"], "one study"),
    ],
)
def test_report_asks_for_folders_of_studies(arguments, said):
    done = launch("report", *arguments)
    assert done.returncode == 1 and said in last_line(done.stderr)


# --- one network, and a study; suites/kill has its end at any moment --------------------------------------------


def test_train_prints_the_result_and_starts_quietly(tmp_path):
    arguments = [*TINY, "--epochs=2", "--width=7", f"--runs_dir={tmp_path}", "--notensorboard"]
    done = launch("train", *arguments, run=launch_from_the_start)
    assert done.returncode == 0 and done.stderr == ""
    (folder,) = (path for path in (tmp_path / "networks-digits-4px-300").iterdir() if path.is_dir())
    result = without_digests(records.read_json(folder / "result.json"))
    shown = dict(line.strip("│ ").split("│") for line in done.stdout.splitlines() if line.startswith("│"))
    assert {name.strip() for name in shown} == set(result)
    assert float(shown[f"{'test_accuracy':<18} "]) == pytest.approx(result["test_accuracy"], rel=1e-5)
    assert "finished before" in launch("train", *arguments).stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study that nobody interrupts."""
    runs = tmp_path_factory.mktemp("whole")
    done = launch("scsdc", *STUDY, f"--runs_dir={runs}")
    assert done.returncode == 0, done.stderr
    return runs / "single", done


def test_a_study_ends_with_the_path_of_its_report(whole):
    study_dir, done = whole
    assert "4/4 runs" in done.stdout and "4 networks, 144 gradient steps; " in done.stdout
    report = Path(last_line(done.stdout).removeprefix("Report: "))
    assert report == study_dir / "report.html" and "p &lt; 0.05" in report.read_text()
    assert len(records.read_results(study_dir)) == 4


def test_the_record_says_what_was_changed_against_the_preset(whole):
    study = records.read_study(whole[0])
    assert (study["preset"], study["reproduces"], study["notes"], study["measure"]) == ("single", None, [], "egf_2")
    changed = {row["choice"]: (row["preset"], row["here"]) for row in study["overrides"]}
    assert changed == {
        "image_size": ("none", "4"), "train_size": ("none", "300"), "hidden_layers": ("4", "1"),
        "variant": ("NR", "BN"), "learning_rate": ("0.03", "0.1"), "batch_size": ("64", "32"),
        "epochs": ("30", "4"), "width_fractions": ("0.1, 0.3, 0.5, 0.7, 0.9", "0.5"), "seeds": ("0, 1, 2", "0, 1"),
    }  # fmt: skip
    assert study["cost"]["networks"] == 4 and study["cost"]["steps"] == 4 * 4 * (300 // 32)


def test_dry_run_prints_which_networks_would_train_together_and_which_are_finished_and_writes_nothing(whole):
    study_dir, _ = whole
    before = {path: path.stat().st_mtime_ns for path in study_dir.rglob("*")}
    done = launch("scsdc", *STUDY, "--seeds=0,1,2", "--dry_run", f"--runs_dir={study_dir.parent}")
    assert done.returncode == 0 and done.stderr == "" and "Networks that train together" in done.stdout
    assert "2 networks in 1 population" in done.stdout and "Finished before: 4 networks." in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in study_dir.rglob("*")}


def test_report_can_be_written_elsewhere_and_without_figures(whole, tmp_path):
    done = launch("report", str(whole[0]), f"--output_dir={tmp_path}", "--nofigures")
    assert done.returncode == 0 and (tmp_path / "report.html").is_file()
    assert {path.suffix for path in (tmp_path / "report").iterdir()} == {".csv", ".md", ".tex"}
    assert (whole[0] / "report" / "figures").is_dir(), "unless they are left out"


# A process that was started with SIGINT ignored (in the background, say) hands that down; here it must be heard.
HEARING = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_ctrl_c_ends_with_a_word_on_how_to_go_on(tmp_path):
    launcher = str(ROOT / "launchers" / "scsdc.py")
    process = Program(HEARING, launcher, *STUDY, "--epochs=1000000", f"--runs_dir={tmp_path}")
    try:
        while not list(tmp_path.glob("single/*/spec.json")):
            assert process.poll() is None, process.end().stderr
            time.sleep(0.05)
        time.sleep(2)  # into the training
        process.send_signal(signal.SIGINT)
    finally:
        done = process.end(timeout=60)
    assert done.returncode == 130 and "the same command goes on from here" in done.stderr
    assert "Traceback" not in done.stderr
