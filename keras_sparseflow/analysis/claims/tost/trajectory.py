"""The claim on curvature and gradient flow along the training, and that on when ghosts fade."""

import pandas as pd

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER, Case
from keras_sparseflow.analysis.claims.claim import Claim, Half
from keras_sparseflow.analysis.claims.evidence import Evidence
from keras_sparseflow.analysis.claims.run_by_run import ACCURACY, EGF, EIGENVALUE, Comparison, Sides
from keras_sparseflow.analysis.claims.tost.toolkit import PAPER, RESNET_18, sparse, tweaked

_FIRST_DECAY = 0.5
"""The share of the training after which the learning rate falls for the first time, and ghosts are gone."""

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


_BY = ("tweaks",)


def _staying(runs: pd.DataFrame) -> pd.Series:
    """Returns which ghosts stay to the end, and which fade."""
    return (runs["ghost_decay"] == "none").map({True: "staying", False: "fading"})


def _later(runs: pd.DataFrame) -> pd.Series:
    """Returns which ghosts fade after the first decay of the learning rate, and which before."""
    until = runs["ghost_until"].astype(float)
    fade = (runs["ghost_decay"] != "none") & until.notna()
    return (until > _FIRST_DECAY).map({True: "later", False: "before the decay"}).where(fade)


def _ghosts(runs: pd.DataFrame) -> pd.Series:
    """Returns which runs have ghosts of one kind."""
    return runs["tweaks"].isin(("GSk", "GSw"))


def _none(evidence: Evidence) -> list[Case]:
    """Returns no case: no schedule of this library removes ghosts at once."""
    return []


WHEN_GHOSTS_FADE = Claim(
    PAPER,
    "Ghosts that stay are slightly better than ghosts that fade. Fading after the first decay of the learning rate "
    "costs 0.917 (GSk) and 0.429 (GSw) points at 95%, abrupt removal near the end more than 1.2.",
    "3.4, figure 6",
    (
        Half(
            "ghosts that stay are more accurate than ghosts that fade",
            Comparison(
                Sides(("staying", "fading"), _staying, ("ghost_decay", "ghost_until")),
                ACCURACY,
                HIGHER,
                (),
                _ghosts,
                _BY,
            ),
            "run whose ghosts stay beside one whose ghosts fade",
        ),
        Half(
            "ghosts that fade after the first decay are less accurate",
            Comparison(
                Sides(("later", "before the decay"), _later, ("ghost_until",)),
                ACCURACY,
                LOWER,
                (),
                _ghosts,
                ("tweaks",),
            ),
            "run whose ghosts fade later than the first decay beside one whose ghosts fade before",
        ),
        Half(
            "ghosts that are removed at once near the end are less accurate",
            _none,
            "run whose ghosts are removed at once: no schedule here does so",
        ),
    ),
    RESNET_18,
)
