"""The example of a plugin: built, installed where nothing else of ours was changed, and used by a launcher."""

import re
import shlex
import shutil
import subprocess
import sys

from keras_sparseflow import records
from suites.install.test_wheel import install, run
from tests.plugins.test_example import EXAMPLE, LAUNCHER, NAMES, ROOT, TINY


def build(folder):
    """Builds a wheel of the example from a copy of it; returns the wheel."""
    shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "sparseflow_extras-0.1.0-py3-none-any.whl"


def test_the_example_is_built_installed_and_used_by_a_launcher(tmp_path):
    commands, packages = install(build(tmp_path), tmp_path / "environment")
    (packages / "checkout.pth").write_text(f"{ROOT}\n")
    python = commands / "python"

    listed = run(python, LAUNCHER, "--list_plugins", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    rows = [" ".join(line.split()) for line in listed.stdout.splitlines() if "sparseflow-extras" in line]
    assert [row.partition(" 0.1.0 ")[0] for row in rows] == [
        "score lamp sparseflow-extras",
        "flow_measure dead_gradients sparseflow-extras",
        "variant ORTH sparseflow-extras",
    ]
    assert all(" 0.1.0 An example of a plugin of keras_sparseflow: a mask score" in row for row in rows)
    assert "3 of them not built in, 0 broken" in listed.stdout

    text = (EXAMPLE / "README.md").read_text().replace("\\\n", " ")
    for command in re.findall(r"^    sparseflow-wide-resnet (.+)$", text, re.MULTILINE):
        shown = run(python, LAUNCHER, *shlex.split(command), "--only_check_args", cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr

    done = run(python, LAUNCHER, *TINY, *NAMES, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    study = tmp_path / "runs" / "mine"
    (result,) = records.read_results(study).to_dict("records")
    assert result["score"] == "lamp" and result["variant"] == "ORTH" and 0 <= result["dead_gradients"] <= 1
    assert records.read_json(study / result["run_id"] / "spec.json")["plugins"] == ["sparseflow-extras 0.1.0"]
    assert records.read_study(study)["versions"]["sparseflow-extras"] == "0.1.0"
    assert "sparseflow-extras" in (study / "report.html").read_text()
