"""The launchers as a user types them: help, refusals, one network, a study, and its interruption."""

import configparser
import functools
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_sparseflow import records
from keras_sparseflow.studies.presets.preset_table import PRESETS
from tests import processes
from tests.processes import Program

ROOT = Path(__file__).parents[2]
LAUNCHERS = sorted(path.stem for path in (ROOT / "launchers").glob("*.py"))
TINY = ["--image_size=4", "--train_size=300", "--batch_size=32", "--hidden_layers=1", "--learning_rate=0.1"]
STUDY = [*TINY, "--variant=NR,BN", "--seeds=0,1", "--width_fractions=0.5", "--epochs=4"]


def launch(name, *arguments, run=processes.run, **variables):
    return run(ROOT / "launchers" / f"{name}.py", *arguments, env={**os.environ, "COLUMNS": "200", **variables})


def launch_from_the_start(launcher, *arguments, **options):
    """As a shell does, imports included."""
    command = [sys.executable, str(launcher), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def last_line(text):
    return text.strip().splitlines()[-1]


# --- help and refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["train", "scsdc", "report"])
def test_help_shows_how_to_call_it_and_every_flag(name):
    text = " ".join(launch(name, "--help").stdout.split())
    assert f"python launchers/{name}.py" in text
    if name != "report":
        assert (
            "--optimizer: optimizer by name" in text and "one of sgd, momentum, adam, adamw, adagrad, rmsprop" in text
        )
        assert "(default: 0.001)" in text and "--runs_dir" in text and "--data_dir" in text


def test_every_launcher_is_a_command():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    lines = setup["options.entry_points"]["console_scripts"].split("\n")
    declared = dict(line.split(" = ") for line in lines if line)
    assert declared == {
        f"sparseflow-{name.replace('_', '-')}": f"keras_sparseflow.launchers.{name}:run" for name in LAUNCHERS
    }


@pytest.mark.parametrize("name", LAUNCHERS)
def test_every_launcher_lists_all_that_has_a_name_and_does_nothing_else(name, tmp_path):
    done = launch(name, "--list_plugins", run=functools.partial(processes.run, cwd=tmp_path))
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^ optimizer +adamw +built in +Adam whose L2 regularisation is decoupled", done.stdout, re.MULTILINE
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--optimizer=sdg"], "flag --optimizer=sdg: Unknown optimizer 'sdg'; expected one of sgd, momentum, adam"),
        (["--epochs=ten"], "flag --epochs=ten: `epochs` must be a whole number of at least 1; received 'ten'"),
        (["--variant=NR,BM"], "Unknown variant part 'BM'; expected one of NR, DA, L2, SC, BN"),
        (["--seeds=1,x"], "`seeds` must be whole numbers separated by commas; received '1,x'"),
        (["--preset=dmo"], "Did you mean 'demo'?"),
        (["--executor=Serial"], "Unknown executor 'Serial'; expected one of auto, population, serial. Did you"),
        (["--measure=egf2"], "Did you mean 'egf_2'?"),
        (["--strategy=miror"], "Did you mean 'mirrored'?"),
        (["--compare_by=accuracy"], "value should be one of <test_accuracy|best_test_accuracy|test_loss>"),
        (["--diverged=best"], "value should be one of <worst|drop>"),
        (
            ["--preset=table_1", "--study=mine"],
            "is the studies table_1_fashion_mnist, table_1_cifar10, table_1_cifar100",
        ),
        (["--learning_rates=1"], "Unknown command line flag 'learning_rates'. Did you mean: learning_rate"),
        (["--width_fractions=90"], "error: `fractions` of the maximum width must be in (0, 1]; received 90.0"),
        (["--seeds", "0", "1", "2"], "Only flags are taken, and lists without spaces, such as --seeds=0,1,2; received"),
        (
            ["--variant=SC", "--hidden_layers=2"],
            "at least 3 hidden layers, or a smaller `skip_span`; received 2",
        ),
    ],
    ids=str,
)
def test_a_bad_flag_fails_at_once_with_argument_expected_and_received(tmp_path, arguments, message):
    done = launch("scsdc", *arguments, f"--runs_dir={tmp_path}")
    assert done.returncode != 0 and message in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_dataset_lists_the_known_ones(tmp_path):
    done = launch("train", "--dataset=cifar11", f"--data_dir={tmp_path}", f"--runs_dir={tmp_path / 'runs'}")
    assert done.returncode == 1 and "Unknown dataset 'cifar11'; expected one of digits, folder" in done.stderr
    assert "cifar10" in done.stderr and "Traceback" not in done.stderr


def test_debug_shows_where_an_error_arose(tmp_path):
    done = launch("report", str(tmp_path), "--debug")
    assert done.returncode == 1 and "Traceback" in done.stderr and "holds no study" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_report_asks_for_one_folder(arguments):
    done = launch("report", *arguments)
    assert done.returncode == 1 and f"received {len(arguments)} arguments" in last_line(done.stderr)


# --- one network ------------------------------------------------------------------------------------------------


def test_train_prints_the_result_and_starts_quietly(tmp_path):
    arguments = [*TINY, "--epochs=2", "--arm=dense", "--dense_width=7", f"--runs_dir={tmp_path}", "--notensorboard"]
    done = launch("train", *arguments, run=launch_from_the_start)
    assert done.returncode == 0 and done.stderr == ""
    (folder,) = (path for path in (tmp_path / "networks-digits-4px-300").iterdir() if path.is_dir())
    result = records.read_json(folder / "result.json")
    shown = dict(line.strip("│ ").split("│") for line in done.stdout.splitlines() if line.startswith("│"))
    assert {name.strip() for name in shown} == set(result)
    assert float(shown[f"{'test_accuracy':<18} "]) == pytest.approx(result["test_accuracy"], rel=1e-5)
    assert "finished before" in launch("train", *arguments).stdout


# --- the plan of a study ----------------------------------------------------------------------------------------


def test_dry_run_prints_which_networks_would_train_together_and_which_are_finished_and_writes_nothing(whole):
    study_dir, _ = whole
    before = {path: path.stat().st_mtime_ns for path in study_dir.rglob("*")}
    done = launch("scsdc", *STUDY, "--variant=NR", "--seeds=0,1,2", "--dry_run", f"--runs_dir={study_dir.parent}")
    assert done.returncode == 0 and done.stderr == "" and "Networks that train together" in done.stdout
    assert "2 networks in 1 population" in done.stdout and "Finished before: 4 networks." in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in study_dir.rglob("*")}


def test_dry_run_tells_what_a_preset_is_and_costs_without_its_dataset(tmp_path):
    small = ["--image_size=4", "--train_size=200", "--epochs=2", "--seeds=0", "--optimizer=adam", "--variant=BN"]
    done = launch("scsdc", "--preset=table_4", *small, "--dry_run", f"--data_dir={tmp_path}", f"--runs_dir={tmp_path}")
    assert done.returncode == 0 and done.stderr == "" and not list(tmp_path.iterdir())
    text = " ".join(done.stdout.split())
    assert "table_4: Which regularization favours sparse networks at a low learning rate, on Fashion-MNIST" in text
    assert "Reproduces: Table 4." in text and "epochs 2 (preset: 500)" in text and "image_size 4" in text
    assert "Cost: 10 networks, 20 gradient steps;" in text and "Estimated time for what is left: " in text


def test_a_study_without_its_dataset_says_how_to_get_it(tmp_path):
    where = [f"--data_dir={tmp_path / 'none'}", f"--runs_dir={tmp_path / 'runs'}", "--nodebug"]
    done = launch("scsdc", "--preset=table_4", *where, http_proxy="", https_proxy="")
    assert done.returncode == 1 and "Dataset 'fashion_mnist' is not prepared under" in done.stderr
    assert "tfds build fashion_mnist --data_dir=" in done.stderr and "Traceback" not in done.stderr


def test_presets_are_listed_with_what_refuses_them():
    """No dataset has images so large, so that nothing is calibrated."""
    done = launch("scsdc", "--list_presets", "--image_size=99")
    assert done.returncode == 0 and done.stderr == ""
    for name in PRESETS.names():
        assert f" {name} " in done.stdout
    assert done.stdout.count("received 99") == len(PRESETS.names())


# --- a study, and its end; suites/kill has the end at any moment -----------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study that nobody interrupts."""
    runs = tmp_path_factory.mktemp("whole")
    done = launch("scsdc", *STUDY, f"--runs_dir={runs}")
    assert done.returncode == 0, done.stderr
    return runs / "single", done


def test_a_study_ends_with_the_path_of_its_report(whole):
    study_dir, done = whole
    assert "8/8 runs" in done.stdout and "8 networks, 288 gradient steps; " in done.stdout
    report = Path(last_line(done.stdout).removeprefix("Report: "))
    assert report == study_dir / "report.html" and "p &lt; 0.05" in report.read_text()
    assert len(records.read_results(study_dir)) == 8


def test_the_record_says_what_was_changed_against_the_preset(whole):
    study = records.read_study(whole[0])
    assert (study["preset"], study["reproduces"], study["notes"], study["measure"]) == ("single", None, [], "egf_2")
    changed = {row["choice"]: (row["preset"], row["here"]) for row in study["overrides"]}
    assert changed == {
        "image_size": ("none", "4"), "train_size": ("none", "300"), "hidden_layers": ("4", "1"),
        "variant": ("NR", "NR, BN"), "learning_rate": ("0.001", "0.1"), "batch_size": ("128", "32"),
        "epochs": ("100", "4"), "width_fractions": ("0.1, 0.3, 0.5, 0.7, 0.9", "0.5"), "seeds": ("0, 1, 2", "0, 1"),
    }  # fmt: skip
    assert study["cost"]["networks"] == 8 and study["cost"]["steps"] == 8 * 4 * (300 // 32)


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


def test_two_processes_do_not_run_one_study(tmp_path):
    with records.study_lock(tmp_path / "single"):
        done = launch("scsdc", *STUDY, f"--runs_dir={tmp_path}")
    assert done.returncode == 1
    assert last_line(done.stderr).startswith(f"error: Another process (pid {os.getpid()}) is running the study")


def test_report_can_be_written_elsewhere_and_without_figures(whole, tmp_path):
    done = launch("report", str(whole[0]), f"--output_dir={tmp_path}", "--nofigures")
    assert done.returncode == 0 and (tmp_path / "report.html").is_file()
    assert {path.suffix for path in (tmp_path / "report").iterdir()} == {".csv", ".md", ".tex"}
    assert (whole[0] / "report" / "figures").is_dir(), "unless they are left out"
