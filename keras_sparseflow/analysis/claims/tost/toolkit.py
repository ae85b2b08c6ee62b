"""Claims on the accuracy that the tweaks of ToST add, together and each by itself."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER, Case, Scale
from keras_sparseflow.analysis.claims.claim import WHOLE_DATASET, Claim, Condition, Half
from keras_sparseflow.analysis.claims.evidence import SIZES, Evidence
from keras_sparseflow.analysis.claims.run_by_run import ACCURACY, TWEAK_FIELDS, Comparison, Sides, values
from keras_sparseflow.analysis.frames.ghost_schedules import DEFAULT, schedules_of
from keras_sparseflow.analysis.statistics.correlation import FEWEST_POINTS, kendall_tau

PAPER = "Jaiswal et al., 2022 (ToST)"

_RECIPE = (
    Condition("180 epochs or more", "epochs", lambda epochs: epochs >= 180),
    Condition("SGD with momentum", "optimizer", lambda name: name == "momentum"),
    Condition("learning rate 0.1", "learning_rate", lambda rate: bool(np.isclose(rate, 0.1))),
    *WHOLE_DATASET,
)

RESNET_18 = (
    Condition("lottery tickets", "plain_method", lambda name: name == "lottery"),
    Condition("ResNets", "model", lambda name: name == "resnet"),
    Condition("18 layers", "depth", lambda depth: depth == 18),
    Condition("the channels of ResNet-18", "width", lambda width: width == 1),
    Condition("CIFAR-100", "dataset", lambda name: name == "cifar100"),
    *_RECIPE,
)
"""The conditions of most claims: lottery tickets of ResNet-18 on CIFAR-100."""

_SINGLE = ("GSk", "GSw", "LRsI", "LS")


def tweaked(name: str, beside: str = "none") -> Sides:
    """Returns runs with some tweaks, and with others or none; their ghosts fade as the claims on tweaks say they do."""
    words = {"tost": "all tweaks", "none": "no tweaks"}
    sides = values("tweaks", name, beside, TWEAK_FIELDS, (words.get(name, name), words.get(beside, beside)))
    return replace(sides, label=lambda runs: sides.label(runs).where(_fades_by_default(runs)))


def _fades_by_default(runs: pd.DataFrame) -> pd.Series:
    """Returns which runs have the paper's own schedule of ghosts; all runs of tweaks that are not trained with it."""
    by_default = schedules_of(runs) == DEFAULT
    return by_default | ~by_default.groupby(runs["tweaks"]).transform("any")


def sparse(runs: pd.DataFrame) -> pd.Series:
    """Returns which runs are of sparse networks."""
    return runs["arm"] == "sparse"


_ALL = tweaked("tost")
_WITH_ALL = "sparse run with all tweaks beside one without any"

ANY_MASK = Claim(
    PAPER,
    "Any mask is trained better with all tweaks, at every sparsity.",
    "3.2, 4.1, tables 2, 3, figure 7",
    (
        Half("each kind of mask is better", Comparison(_ALL, ACCURACY, HIGHER, (), sparse, ("method",)), _WITH_ALL),
        Half("each sparsity is better", Comparison(_ALL, ACCURACY, HIGHER, (), sparse, ("density",)), _WITH_ALL),
    ),
    (
        # Tiny-ImageNet is read from a folder, whose name results do not have.
        Condition(
            "CIFAR-10, CIFAR-100 or Tiny-ImageNet", "dataset", lambda name: name in ("cifar10", "cifar100", "folder")
        ),
        Condition("a ResNet, a VGG or a MobileNet", "model", lambda name: name in ("resnet", "vgg", "mobilenet")),
        Condition(
            "the depth of ResNet-18, -32 or -50, VGG-16 or MobileNet",
            "depth",
            lambda depth: depth in (16, 18, 28, 32, 50),
        ),
        *_RECIPE,
    ),
)


@dataclass(frozen=True)
class Against:
    """A comparison of tweaks with each of several others, a case each."""

    name: str
    others: tuple[str, ...]
    where: Callable[[pd.DataFrame], pd.Series]

    def __call__(self, evidence: Evidence) -> list[Case]:
        """Returns the cases that have a pair."""
        return [
            replace(case, name=f"against {other}, {case.name}")
            for other in self.others
            for case in Comparison(tweaked(self.name, other), ACCURACY, HIGHER, (), self.where, ("method",))(evidence)
        ]


def _sparsest(runs: pd.DataFrame) -> pd.Series:
    return sparse(runs) & (runs["density"] == runs["density"].min())


EACH_TWEAK = Claim(
    PAPER,
    "Each tweak alone helps lottery tickets, GSk most at the highest sparsity (+2.15 points at 95%), and all together "
    "most of all (+1.08 to +2.51).",
    "3.3, table 4",
    (
        *(
            Half(
                f"{name} alone raises accuracy",
                Comparison(tweaked(name), ACCURACY, HIGHER, (), sparse, ("method",)),
                f"sparse run with {name} beside one without any tweak",
            )
            for name in _SINGLE
        ),
        Half(
            "at the highest sparsity GSk is more accurate than each other tweak",
            Against("GSk", _SINGLE[1:], _sparsest),
            "run with GSk beside one with another tweak, at the lowest density",
        ),
        Half(
            "all together are more accurate than each alone",
            Against("tost", _SINGLE, sparse),
            "sparse run with all tweaks beside one with a single tweak",
        ),
    ),
    RESNET_18,
)


@dataclass(frozen=True)
class Gains:
    """Gains by a tweak at several densities, compared within each draw of weights.

    Args:
        tweak: its name.
        along: True compares Kendall's tau of gain and sparsity with zero; False the mean gain of sparse networks with
            that of dense ones.
    """

    tweak: str
    along: bool

    def __call__(self, evidence: Evidence) -> list[Case]:
        """Returns one case, if there is one: a pair for each draw, in which the gains of all densities share it."""
        pairs = Comparison(tweaked(self.tweak), ACCURACY, HIGHER).pairs(evidence)
        if pairs.empty:
            return []
        pairs = pairs.assign(gain=(pairs["first"] - pairs["second"]).astype(float))
        draw = [column for column in SIZES if column in pairs and column != "density"]
        gains = pairs.groupby([*draw, "arm", "density"], dropna=False)["gain"].mean().reset_index()
        rows = [_along(inside) if self.along else _beside(inside) for _, inside in gains.groupby(draw, dropna=False)]
        found = pd.DataFrame(rows, columns=["first", "second"]).dropna()
        first, second = found.to_numpy(dtype=float).T
        scale, sides = (
            (Scale(3), ("mean tau",)) if self.along else (Scale(), ("gain of sparse networks", "of dense ones"))
        )
        return [Case(self.tweak, first, second, HIGHER, scale, sides)]


def _along(gains: pd.DataFrame) -> tuple[float, float]:
    """Returns tau of gain and sparsity, and zero."""
    enough = len(gains) >= FEWEST_POINTS
    return (kendall_tau(gains["gain"], -gains["density"]) if enough else float("nan")), 0.0


def _beside(gains: pd.DataFrame) -> tuple[float, float]:
    """Returns the mean gain of sparse networks, and that of dense ones."""
    means = gains.groupby("arm")["gain"].mean()
    return float(means.get("sparse", float("nan"))), float(means.get("dense", float("nan")))


GHOSTS_BY_SPARSITY = Claim(
    PAPER,
    "GSk and GSw help sparse networks more than dense ones, the more the sparser; GSk can hurt a dense ResNet (-0.77 "
    "points).",
    "4.3, table 5",
    (
        *(
            Half(
                f"{name} helps sparse networks more than dense ones",
                Gains(name, along=False),
                f"sparse and dense runs with {name} beside ones without, of one seed",
            )
            for name in _SINGLE[:2]
        ),
        *(
            Half(
                f"{name} helps the more, the sparser a network is",
                Gains(name, along=True),
                f"runs with {name} beside ones without, at three densities",
            )
            for name in _SINGLE[:2]
        ),
        Half(
            "GSk lowers the accuracy of dense networks",
            Comparison(tweaked("GSk"), ACCURACY, LOWER, (), lambda runs: runs["arm"] == "dense", ("optimizer",)),
            "dense run with GSk beside one without",
        ),
    ),
    RESNET_18,
)
