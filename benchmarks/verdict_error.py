"""Measures verdicts of first screens: differences that they claim in pure noise, and true ones that they name.

Accuracies are drawn, not trained, and no figure is drawn. Half of the studies of noise compare sparse with dense
networks in six cells of 15 pairs each, half compare five tweaks with none over five densities and three seeds. In
studies with an effect the sparse networks of one cell are better by one standard deviation of the differences between
15 pairs.

    python benchmarks/verdict_error.py
    python benchmarks/verdict_error.py --noise=100 --true=20 --seed=1
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from absl import app, flags

from keras_sparseflow.analysis.frames.study_source import Source
from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.statistics.verdicts import OTHER_WAY, YES

NOISE = flags.DEFINE_integer("noise", 1000, "studies of pure noise.", lower_bound=0)
TRUE = flags.DEFINE_integer("true", 100, "studies with an effect.", lower_bound=0)
SEED = flags.DEFINE_integer("seed", 0, "of all draws.")

SPREAD = 0.01
"""The standard deviation of an accuracy around that of its width or density."""

COMMON: dict[str, Any] = {"dataset": "made_up", "learning_rate": 0.1, "activation": "relu", "diverged": False}
SEEDS = (0, 1, 2)


def pairs(rng: np.random.Generator, cells: int, effect: float) -> pd.DataFrame:
    """Returns a study of pairs in which sparse networks are better by `effect` standard deviations of a difference."""
    axes = {"variant": range(cells), "dense_width": (7, 20, 34, 48, 61), "seed": SEEDS, "arm": ("sparse", "dense")}
    runs = _grid(axes).assign(hidden_layers=2, optimizer="sgd", **COMMON)
    runs["variant"] = runs["variant"].map("V{}".format)
    gain = effect * np.sqrt(2) * SPREAD * (runs["arm"] == "sparse")
    return runs.assign(test_accuracy=0.9 - 0.6 / runs["dense_width"] + gain + rng.normal(0, SPREAD, len(runs)))


def tweaks(rng: np.random.Generator) -> pd.DataFrame:
    """Returns a study over densities of five tweaks that change nothing."""
    axes = {"tweaks": ("none", "GSk", "GSw", "LRsI", "LS", "tost"), "density": (0.02, 0.05, 0.1, 0.2, 0.5)}
    runs = _grid({**axes, "seed": SEEDS}).assign(model="resnet", depth=18, width=1, variant="SC_BN", **COMMON)
    runs = runs.assign(optimizer="momentum", method="static", score="random", distribution="uniform")
    return runs.assign(test_accuracy=0.7 + 0.1 * np.log10(runs["density"]) + rng.normal(0, SPREAD, len(runs)))


def verdicts(runs: pd.DataFrame) -> set[str]:
    """Returns the verdicts that stand on a study's first screen."""
    none = pd.DataFrame(columns=["run_id", "epoch", "measure", "layer", "value"])
    source = Source({}, runs, none, none, none, none, "test_accuracy", "egf_2", "worst", figure_files=False)
    return set(effects(StudyNumbers(source))["verdict"])


def _grid(axes: Mapping[str, Sequence[Any]]) -> pd.DataFrame:
    runs = pd.DataFrame(list(itertools.product(*axes.values())), columns=list(axes))
    return runs.assign(run_id=[f"run-{number}" for number in range(len(runs))])


def main(argv: list[str]) -> None:
    del argv
    rng = np.random.default_rng(SEED.value)
    claimed = {"pairs": 0, "tweaks": 0}
    for number in range(NOISE.value):
        kind = ("pairs", "tweaks")[number % 2]
        found = verdicts(pairs(rng, cells=6, effect=0.0) if kind == "pairs" else tweaks(rng))
        claimed[kind] += bool(found & {YES, OTHER_WAY})
    told = sum(verdicts(pairs(rng, cells=1, effect=1.0)) == {YES} for _ in range(TRUE.value))
    print(f"A difference is claimed in {sum(claimed.values())} of {NOISE.value} studies of pure noise: {claimed}.")
    print(f"The true effect is named in {told} of {TRUE.value} studies.")


if __name__ == "__main__":
    app.run(main)
