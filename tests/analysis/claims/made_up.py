"""Made-up studies under the papers' conditions, whose runs differ as a test says."""

import itertools

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.case import HIGHER, Case, Scale
from keras_sparseflow.analysis.claims.claim import Claim, Half

PAIRS = {
    "dataset": "cifar100",
    "model": "mlp",
    "hidden_layers": 4,
    "activation": "relu",
    "learning_rate": 0.1,
    "epochs": 1000,
    "max_width": 3076,
    "variant": "NR",
    "optimizer": "adam",
    "dense_width": (308, 923, 1538, 2153, 2768),
    "seed": (0, 1, 2),
    "arm": ("sparse", "dense"),
}
DENSITIES = {
    "dataset": "cifar100",
    "model": "resnet",
    "depth": 18,
    "width": 1,
    "activation": "relu",
    "learning_rate": 0.1,
    "epochs": 180,
    "variant": "DA_L2_SC_BN",
    "optimizer": "momentum",
    "method": "lottery",
    "density": (0.05, 0.2),
    "tweaks": "none",
    "seed": tuple(range(12)),
}
WIDE_RESNETS = {**DENSITIES, "model": "wide_resnet", "depth": 28, "width": 10, "epochs": 200, "method": "random"}


def make_study(axes, accuracy=None, egf=None, seed=0, **changed):
    """Returns results of every combination of values, with noise and what functions of the frame add to it.

    Args:
        axes: a value or a tuple of values for each column of the spec.
        accuracy: gives what to add to the accuracies, whose noise has a standard deviation of 0.01.
        egf: gives what to add to the logarithms of EGF, whose noise has one of 0.1.
        seed: of the noise.
        **changed: other axes, or values for them.
    """
    axes = {name: value if isinstance(value, tuple) else (value,) for name, value in {**axes, **changed}.items()}
    frame = pd.DataFrame(itertools.product(*axes.values()), columns=list(axes))
    frame.insert(0, "run_id", [f"run-{number}" for number in range(len(frame))])
    frame.attrs["spec_columns"] = list(axes)
    return with_noise(frame, np.random.default_rng(seed), accuracy, egf)


def with_noise(frame, rng, accuracy=None, egf=None):
    """Returns a study with other numbers; arguments as those of `make_study`."""
    made = frame.assign(
        test_accuracy=0.5 + rng.normal(0, 0.01, len(frame)) + (accuracy(frame) if accuracy else 0),
        diverged=False,
        flow_reading="end",
    )
    for norm in (1, 2):
        noise = rng.normal(0, 0.1, (2, len(frame)))
        made[f"egf_{norm}"] = np.exp(noise[0] + (egf(frame) if egf else 0))
        made[f"grad_norm_{norm}"] = np.exp(noise[1])
    return made.assign(test_loss=5 * (1 - made["test_accuracy"]) + rng.normal(0, 0.01, len(frame)))


def has(*parts):
    """Returns a function of a study that says which runs have these parts of a variant."""
    return lambda runs: runs["variant"].map(lambda name: set(parts) <= set(name.split("_")))


def answers(judged, text):
    """Returns the answers on a half-sentence, by case, of the cases that the study has."""
    halves = [half for one in judged for half in one.halves if half.text.startswith(text)]
    assert halves, text
    return {half.case: half.verdict.answer for half in halves if half.case}


def always(paper):
    """Returns a claim that every study can test, so that those of the same paper that none can are shown too."""
    case = Case("any", np.zeros(1), np.zeros(1), HIGHER, Scale())
    return Claim(paper, "", "", (Half("", lambda evidence: [case], ""),))
