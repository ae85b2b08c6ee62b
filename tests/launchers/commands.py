"""Launchers as they are typed, and flags of a tiny study."""

import os
from pathlib import Path

from tests import processes

ROOT = Path(__file__).parents[2]
TINY = ["--image_size=4", "--train_size=300", "--batch_size=32", "--hidden_layers=1", "--learning_rate=0.1"]
STUDY = [*TINY, "--variant=BN", "--seeds=0,1", "--width_fractions=0.5", "--epochs=4"]


def launch(name, *arguments, run=processes.run):
    return run(ROOT / "launchers" / f"{name}.py", *arguments, env={**os.environ, "COLUMNS": "200"})
