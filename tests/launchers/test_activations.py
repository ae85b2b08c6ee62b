"""The launcher that draws activation functions, as a user types it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests import processes

LAUNCHER = Path(__file__).parents[2] / "launchers" / "activations.py"


def launch(*arguments):
    return processes.run(LAUNCHER, *arguments)


def test_picture_and_numbers_are_written_and_named(tmp_path):
    done = launch("--activation=swish,relu", "--low=-2", "--high=2", f"--output_dir={tmp_path / 'new'}")
    assert done.returncode == 0, done.stderr
    names = ["activations.png", "activations.svg", "activations.csv"]
    assert done.stdout.split() == [str((tmp_path / "new" / name).resolve()) for name in names]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    table = pd.read_csv(tmp_path / "new" / "activations.csv")
    relu = table[table["activation"] == "relu"]
    assert relu["value"].to_numpy() == pytest.approx(np.maximum(relu["x"], 0))
    assert (table["x"].min(), table["x"].max()) == (-2, 2)


def test_help_shows_how_to_call_it_and_loads_no_tensorflow():
    code = "import runpy, sys\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    code += "finally: print('tensorflow' in sys.modules)"
    code = f"import sys; sys.argv = [{str(LAUNCHER)!r}, '--help']\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "python launchers/activations.py --activation=relu,gelu" in done.stdout
    assert "(default: 'relu,prelu,elu,swish,srelu,sigmoid')" in done.stdout
    assert done.stdout.split()[-1] == "False"


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--activation=relu,swihs", "Unknown activation 'swihs'; expected one of relu, elu"),
        ("--activation=", "at least one activation"),
        ("--activation=relu,relu", "each once; received relu,relu"),
    ],
)
def test_bad_flags_are_refused_in_a_line(argument, message, tmp_path):
    done = launch(argument, f"--output_dir={tmp_path}")
    assert done.returncode == 1
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr and not list(tmp_path.iterdir())
