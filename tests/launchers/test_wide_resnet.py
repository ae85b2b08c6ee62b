"""The launcher of density studies as a user types it: help, refusals, a preview, a study and its report."""

import os
from pathlib import Path

import pytest

from keras_sparseflow import records
from tests import processes

LAUNCHER = Path(__file__).parents[2] / "launchers" / "wide_resnet.py"
TINY = [
    "--dataset=digits", "--image_size=4", "--train_size=160", "--batch_size=32", "--depth=10", "--width=1",
    "--learning_rate=0.05", "--epochs=2", "--variant=SC_BN", "--seeds=0", "--flow_epochs=1", "--study=tiny",
]  # fmt: skip


def launch(*arguments):
    return processes.run(LAUNCHER, *arguments, env={**os.environ, "COLUMNS": "200"})


def last_line(text):
    return text.strip().splitlines()[-1]


def test_help_shows_how_to_call_it_and_every_flag():
    text = " ".join(launch("--help").stdout.split())
    assert "python launchers/wide_resnet.py --preset=wrn_random --dry_run" in text
    for flag in ("--density: share of the kernels' weights", "--method: how the network becomes sparse", "--strategy"):
        assert flag in text, flag
    assert "--executor" not in text and "--population_memory_gb" not in text and "--dense_width" not in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--density=0.1,90"], "`density` must be a number above 0 and at most 1; received 90.0"),
        (["--method=snap"], "Unknown mask schedule 'snap'; expected one of static, magnitude"),
        (
            ["--preset=wrn_randon"],
            "Unknown preset of a density study 'wrn_randon'; expected one of single_density, masks,",
        ),
        (["--rounds=3"], "`rounds` is of lottery tickets, such as --preset=lottery; received --preset=single_density"),
        (
            ["--preset=lottery", "--density=0.1"],
            "`density` follows from other choices in study 'lottery'; received (0.1,)",
        ),
        ([*TINY, "--depth=12"], "error: `depth` must be 6 n + 4 for n blocks a group"),
        ([*TINY, "--density=0.001"], "leave every kernel at least one active weight; 0.001 leaves none"),
    ],
)
def test_bad_input_is_refused_in_a_line_and_nothing_is_written(arguments, message, tmp_path):
    done = launch(*arguments, f"--runs_dir={tmp_path}")
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.json"))


def test_a_study_is_trained_reported_and_added_to(tmp_path):
    """Of the smallest networks that there are; other tests train the convolutions."""
    command = [*TINY, "--model=mlp", "--depth=2", "--width=8", "--variant=BN", f"--runs_dir={tmp_path}"]
    done = launch(*command, "--density=0.2", "--method=static,magnitude")
    assert done.returncode == 0, done.stderr
    assert "2 networks, 20 gradient steps" in done.stdout, "the cost is printed first"
    page = tmp_path / "tiny" / "report.html"
    assert last_line(done.stdout) == f"Report: {page.resolve()}" and page.stat().st_size > 10_000
    more = launch(*command, "--density=0.2,1", "--method=static,magnitude", "--dry_run")
    assert more.returncode == 0 and "Finished before: 2 networks." in more.stdout, more.stderr
    assert "One after the other: 1 network." in more.stdout, "dense by either method"
    results = records.read_results(tmp_path / "tiny")
    assert set(results["method"]) == {"static", "magnitude"} and set(results["density"]) == {0.2}
