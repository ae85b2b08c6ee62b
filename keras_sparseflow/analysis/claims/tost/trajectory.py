"""The claim on curvature and gradient flow along the training, and that on when ghosts fade."""

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER
from keras_sparseflow.analysis.claims.claim import Claim, Condition, Half
from keras_sparseflow.analysis.claims.run_by_run import ACCURACY, EGF, EIGENVALUE, Comparison, Sides
from keras_sparseflow.analysis.claims.tost.toolkit import PAPER, RESNET_18, sparse, tweaked
from keras_sparseflow.analysis.frames.ghost_schedules import ABRUPT, DEFAULT, LATER, STAYING, schedules_of

_WITH_ALL = "sparse run with all tweaks beside one without any"

SMOOTHER_TRAINING = Claim(
    PAPER,
    "With all tweaks the top eigenvalue of the Hessian is lower along the training, and the gradient flow of active "
    "weights healthier, which is taken for higher.",
    "4.4, figures 2, 9",
    (
        Half(
            "the top eigenvalue, as the mean along each training, is lower",
            Comparison(tweaked("tost"), EIGENVALUE, LOWER, (), sparse, ("method",)),
            f"{_WITH_ALL}, with measured eigenvalues",
        ),
        Half(
            "EGF, as the mean along each training, is higher",
            Comparison(tweaked("tost"), EGF, HIGHER, (), sparse, ("method",)),
            f"{_WITH_ALL}, with a measured EGF",
        ),
    ),
    RESNET_18,
)


def _schedules(runs: pd.DataFrame) -> pd.Series:
    """Returns the schedule of the ghosts of runs that have one of the two kinds alone."""
    return schedules_of(runs).where(runs["tweaks"].isin(("GSk", "GSw")), None)


def _beside_default(name: str, claimed: int) -> Comparison:
    """Returns the comparison of a schedule with the default one, by tweak."""
    sides = Sides((name, DEFAULT), _schedules, ("ghost_decay", "ghost_until"))
    return Comparison(sides, ACCURACY, claimed, (), sparse, ("tweaks",))


_AT_95 = (Condition("95% sparsity", "density", lambda density: bool(np.isclose(density, 0.05))),)
"""The condition under which the paper tells what other schedules cost."""

WHEN_GHOSTS_FADE = Claim(
    PAPER,
    "Ghosts that stay are slightly better than ghosts that fade. Fading after the first decay of the learning rate "
    "costs 0.917 (GSk) and 0.429 (GSw) points at 95%, abrupt removal near the end more than 1.2.",
    "3.4, figure 6",
    (
        Half(
            "ghosts that stay are more accurate than ghosts that fade",
            _beside_default(STAYING, HIGHER),
            "run whose ghosts stay beside one whose ghosts fade",
        ),
        Half(
            "ghosts that fade after the first decay are less accurate",
            _beside_default(LATER, LOWER),
            "run whose ghosts fade later than the first decay beside one whose ghosts fade before",
            _AT_95,
        ),
        Half(
            "ghosts that are removed at once near the end are less accurate",
            _beside_default(ABRUPT, LOWER),
            "run whose ghosts are removed at once near the end beside one whose ghosts fade before the first decay",
            _AT_95,
        ),
    ),
    RESNET_18,
)
