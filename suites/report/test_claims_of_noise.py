"""All claims of both papers in made-up studies of pure noise."""

import numpy as np
import pytest

from keras_sparseflow.analysis.claims.judging import judge_claims
from tests.analysis.claims.made_up import DENSITIES, PAIRS, make_study, with_noise

STUDIES = {
    "pairs": (PAIRS, {"variant": ("NR", "BN", "L2_BN"), "optimizer": ("adam", "sgd")}),
    "tweaks": (DENSITIES, {"tweaks": ("none", "GSk", "GSw", "tost"), "density": (0.05, 0.2, 1.0)}),
}


@pytest.mark.parametrize("kind", STUDIES)
def test_pure_noise_decides_something_in_at_most_five_of_a_hundred_studies(kind):
    axes, changed = STUDIES[kind]
    study, rng = make_study(axes, **changed), np.random.default_rng(0)
    decided = 0
    for _ in range(200):
        halves = [half for one in judge_claims(with_noise(study, rng)) for half in one.halves]
        assert sum(bool(half.numbers) for half in halves) > 12
        decided += any(half.verdict.decided for half in halves)
    assert decided <= 10
