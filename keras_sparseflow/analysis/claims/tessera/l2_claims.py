"""Claims on L2 and on decoupled weight decay."""

import pandas as pd

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER
from keras_sparseflow.analysis.claims.claim import WHOLE_DATASET, Claim, Half
from keras_sparseflow.analysis.claims.evidence import variants
from keras_sparseflow.analysis.claims.run_by_run import ACCURACY, EGF, Comparison, part, values
from keras_sparseflow.analysis.claims.tessera.setting import (
    ADAPTIVE,
    CIFAR_100,
    DEPTH,
    EWMA,
    HIGH,
    LENGTH,
    LOW,
    NO_CONVOLUTIONS,
    PAPER,
    PERCEPTRONS,
    WIDE_RESNETS,
)

_NARROW = 0.69
"""The share of the maximum below which a dense width is small: just under 0.7, as widths are rounded (2153 of 3076)."""

_BESIDE = "run with L2 and BatchNorm beside one with BatchNorm alone"
_BESIDE_NONE = "run with L2 beside one without it, both without BatchNorm"

L2_WITH_BATCHNORM = Claim(
    PAPER,
    "With BatchNorm, at a learning rate of 0.1, L2 lowers the accuracy of both arms under Adam and RMSprop, and raises "
    "EGF under every optimizer.",
    "4.1.2, figures 2c, 2d",
    (
        Half(
            "L2 lowers accuracy under Adam and RMSprop",
            Comparison(part("L2", has=("BN",)), ACCURACY, LOWER, EWMA),
            f"{_BESIDE}, under Adam or RMSprop",
        ),
        Half("L2 raises EGF", Comparison(part("L2", has=("BN",)), EGF, HIGHER), f"{_BESIDE}, with a measured EGF"),
    ),
    (NO_CONVOLUTIONS, HIGH, *PERCEPTRONS),
)


def _narrow(runs: pd.DataFrame) -> pd.Series:
    """Returns which runs are sparse networks of a small dense width."""
    if not {"dense_width", "max_width"} <= set(runs):
        return pd.Series(False, runs.index)
    return (runs["arm"] == "sparse") & (runs["dense_width"] < _NARROW * runs["max_width"])


L2_WITHOUT_BATCHNORM = Claim(
    PAPER,
    "Without BatchNorm, at a learning rate of 0.001, L2 hurts sparse networks under Adagrad, Adam and RMSprop, mainly "
    "at small dense widths, and helps dense ones.",
    "4.1.2, figure 2a",
    (
        Half(
            "L2 lowers the accuracy of sparse networks of a dense width below 0.7 of the maximum",
            Comparison(part("L2", lacks=("BN",)), ACCURACY, LOWER, ADAPTIVE, _narrow),
            f"sparse {_BESIDE_NONE}, in pairs of small dense width, under Adagrad, Adam or RMSprop",
        ),
        Half(
            "L2 raises the accuracy of dense networks",
            Comparison(part("L2", lacks=("BN",)), ACCURACY, HIGHER, ADAPTIVE, lambda runs: runs["arm"] == "dense"),
            f"dense {_BESIDE_NONE}, under Adagrad, Adam or RMSprop",
        ),
    ),
    (LOW, *PERCEPTRONS),
)


def _decays(runs: pd.DataFrame) -> pd.Series:
    """Returns which runs have L2: coupled under Adam, decoupled under AdamW."""
    return variants(has=("L2",))(runs) & (runs["coupled"] != (runs["optimizer"] == "adamw"))


_ADAMW = values("optimizer", "adamw", "adam", free=("l2_form",))
_BESIDE_ADAM = "run of AdamW beside one of Adam with L2 of the same lambda"

DECOUPLED_DECAY = Claim(
    PAPER,
    "Decoupled weight decay (AdamW) has a lower EGF than L2 under Adam, and is more accurate.",
    "4.1.2, figure 23; 4.2, figure 4",
    (
        Half(
            "AdamW has a lower EGF",
            Comparison(_ADAMW, EGF, LOWER, where=_decays, by=("arm",)),
            _BESIDE_ADAM,
            (DEPTH, LENGTH),
        ),
        Half(
            "AdamW is more accurate",
            Comparison(_ADAMW, ACCURACY, HIGHER, where=_decays, by=("arm",)),
            _BESIDE_ADAM,
            (DEPTH, LENGTH),
        ),
        Half(
            "AdamW is more accurate in Wide ResNets with Swish",
            Comparison(
                _ADAMW,
                ACCURACY,
                HIGHER,
                where=lambda runs: _decays(runs) & (runs["activation"] == "swish"),
                by=("arm",),
            ),
            f"{_BESIDE_ADAM}, with Swish",
            WIDE_RESNETS,
        ),
    ),
    (CIFAR_100, HIGH, *WHOLE_DATASET),
)


def _halves_of_masks(masks: str, method: str, optimizers: tuple[str, ...]) -> tuple[Half, Half]:
    """Returns the half-sentences on L2 in Wide ResNets with one kind of masks.

    Pairs are made at each density, and judged together: the seeds of one density are too few for a verdict.
    """

    def drawn(runs: pd.DataFrame) -> pd.Series:
        return runs["plain_method"] == method

    named = " or ".join(name.capitalize() for name in optimizers)
    needs = f"{_BESIDE}, with {masks}, under {named}"
    sides, by = part("L2", has=("BN",)), ("optimizer",)
    return (
        Half(f"{masks}: L2 lowers accuracy", Comparison(sides, ACCURACY, LOWER, optimizers, drawn, by), needs),
        Half(f"{masks}: L2 raises EGF", Comparison(sides, EGF, HIGHER, optimizers, drawn, by), needs),
    )


L2_IN_WIDE_RESNETS = Claim(
    PAPER,
    "In Wide ResNets, L2 hurts Adagrad and Adam, with BatchNorm too, and comes with a higher EGF; so it does where "
    "networks are pruned by magnitude, under Adam.",
    "4.2, 4.3, figures 4, 5, 24",
    (
        *_halves_of_masks("random masks", "random", ("adagrad", "adam")),
        *_halves_of_masks("magnitude pruning", "magnitude", ("adam",)),
    ),
    (CIFAR_100, HIGH, *WIDE_RESNETS, *WHOLE_DATASET),
)
