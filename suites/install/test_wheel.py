"""The wheel holds all that the package needs, and its commands train and report away from the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keras_sparseflow import __version__, records

ROOT = Path(__file__).parents[2]
SOURCES = ("pyproject.toml", "setup.cfg", "MANIFEST.in", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt")
LAUNCHERS = sorted(path.stem for path in (ROOT / "launchers").glob("*.py"))


def command_of(launcher):
    return f"sparseflow-{launcher.replace('_', '-')}"


def package_files(folder):
    """Returns the paths of the files in a package's folder, without those that Python compiles."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in found if "__pycache__" not in path.parts}


def build(folder):
    """Builds the sources, and a wheel of them, from a copy of the checkout; returns the wheel."""
    source = folder / "source"
    shutil.copytree(
        ROOT / "keras_sparseflow", source / "keras_sparseflow", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in SOURCES:
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder / "dist", source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "dist" / f"keras_sparseflow-{__version__}.tar.gz").is_file()
    return folder / "dist" / f"keras_sparseflow-{__version__}-py3-none-any.whl"


def install(wheel, folder):
    """Installs a wheel into an environment of its own; returns that environment's commands and its packages.

    What the wheel requires is taken from the packages of this environment. Pointers in them to a checkout
    have no effect: Python reads such pointers only in an environment's own folder of packages.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    own = {"base": str(folder), "platbase": str(folder)}
    commands, packages = (Path(sysconfig.get_path(kind, "venv", vars=own)) for kind in ("scripts", "purelib"))
    (packages / "required.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")
    options = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check"]
    pip = [sys.executable, "-m", "pip", "--python", commands / "python", "install", *options, wheel]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return commands, packages


def run(program, *arguments, cwd):
    """Runs an installed program that is told nothing of this process's paths."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment["COLUMNS"] = "200"
    return subprocess.run([program, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def check_help(commands, cwd):
    """Every launcher is a command, and its help shows how that is called."""
    with ThreadPoolExecutor(2) as pool:
        asked = pool.map(lambda launcher: run(commands / command_of(launcher), "--help", cwd=cwd), LAUNCHERS)
    for launcher, done in zip(LAUNCHERS, asked, strict=True):
        assert f"    {command_of(launcher)} " in done.stdout, done.stderr
        assert "launchers/" not in done.stdout and "--debug: show where" in done.stdout


def test_the_wheel_works_in_an_environment_of_its_own_away_from_the_checkout(tmp_path):
    wheel = build(tmp_path)
    commands, packages = install(wheel, tmp_path / "environment")
    installed = packages / "keras_sparseflow"
    assert package_files(installed) == package_files(tmp_path / "source" / "keras_sparseflow")
    with zipfile.ZipFile(wheel) as archive:
        assert (
            archive.read(f"keras_sparseflow-{__version__}.dist-info/licenses/LICENSE")
            == (ROOT / "LICENSE").read_bytes()
        )

    away = tmp_path / "away"
    away.mkdir()
    code = "import keras_sparseflow; print(keras_sparseflow.__file__)"
    assert run(commands / "python", "-c", code, cwd=away).stdout.strip() == str(installed / "__init__.py")
    check_help(commands, away)

    images = ["--image_size=4", "--train_size=64", "--batch_size=32", "--hidden_layers=1"]
    arguments = [*images, "--seeds=0", "--width_fractions=0.5", "--epochs=2", "--notensorboard"]
    done = run(commands / "sparseflow-scsdc", *arguments, cwd=away)
    assert done.returncode == 0, done.stderr
    study = away / "runs" / "single"
    assert done.stdout.splitlines()[-1] == f"Report: {study / 'report.html'}"
    assert "sparseflow-scsdc --image_size=4" in (study / "report.html").read_text()
    assert len(records.read_results(study)) == 2
    record = records.read_study(study)
    assert record["command"] == f"sparseflow-scsdc {' '.join(arguments)}"
    assert record["versions"]["commit"] == "unknown: not in a git checkout"
