"""The launcher that draws activation functions."""

import numpy as np
import pandas as pd
import pytest


def test_picture_and_numbers_are_written_and_named(launch, tmp_path):
    done = launch(
        "activation_figures", "--activation=swish,relu", "--low=-2", "--high=2", f"--output_dir={tmp_path / 'new'}"
    )
    assert done.returncode == 0, done.stderr
    names = ["activations.png", "activations.svg", "activations.csv"]
    assert done.stdout.split() == [str((tmp_path / "new" / name).resolve()) for name in names]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(names)
    table = pd.read_csv(tmp_path / "new" / "activations.csv")
    relu = table[table["activation"] == "relu"]
    assert relu["value"].to_numpy() == pytest.approx(np.maximum(relu["x"], 0))
    assert (table["x"].min(), table["x"].max()) == (-2, 2)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--activation=relu,swihs", "Unknown activation 'swihs'; expected one of relu, elu"),
        ("--activation=", "at least one activation"),
        ("--activation=relu,relu", "each once; received relu,relu"),
    ],
)
def test_bad_flags_are_refused_in_a_line(launch, argument, message, tmp_path):
    done = launch("activation_figures", argument, f"--output_dir={tmp_path}")
    assert done.returncode == 1 and message in " ".join(done.stderr.split())
    assert not list(tmp_path.iterdir())
