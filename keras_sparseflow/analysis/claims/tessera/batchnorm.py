"""Claims on BatchNorm: which arm it favours, its worth beside skip connections, and its effect on gradient flow."""

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER
from keras_sparseflow.analysis.claims.claim import Claim, Half
from keras_sparseflow.analysis.claims.evidence import variants
from keras_sparseflow.analysis.claims.run_by_run import (
    ACCURACY,
    EGF,
    EGF_SPREAD,
    FIELDS,
    SPARSE_AND_DENSE,
    Comparison,
    Difference,
    part,
    values,
)
from keras_sparseflow.analysis.claims.tessera.setting import AT_BOTH_RATES, EWMA, NON_EWMA, PAPER

_BY_RATE = ("optimizer", "learning_rate")
_PAIR = "pair of a sparse and a dense network of equal capacity"
_PLAIN = ("DA", "L2", "SC", "BN")

FAVOURS_SPARSE = Claim(
    PAPER,
    "Under Adagrad, SGD and momentum, sparse networks do not win without BatchNorm, and win with it, at both learning "
    "rates; some cells with L2 are excepted.",
    "4.1.1, tables 3a, 3b",
    (
        Half(
            "without BatchNorm sparse networks do not win",
            Comparison(SPARSE_AND_DENSE, ACCURACY, LOWER, NON_EWMA, variants(lacks=("BN",)), _BY_RATE),
            f"{_PAIR} without BatchNorm, under Adagrad, SGD or momentum",
            denies=True,
        ),
        Half(
            "with BatchNorm, and without L2, sparse networks win",
            Comparison(SPARSE_AND_DENSE, ACCURACY, HIGHER, NON_EWMA, variants(("BN",), ("L2",)), _BY_RATE),
            f"{_PAIR} with BatchNorm, under Adagrad, SGD or momentum",
        ),
        Half(
            "with BatchNorm alone (BN) sparse networks win",
            Comparison(SPARSE_AND_DENSE, ACCURACY, HIGHER, NON_EWMA, variants(("BN",), ("DA", "L2", "SC")), _BY_RATE),
            f"{_PAIR} of the variant BN, under Adagrad, SGD or momentum",
        ),
    ),
    AT_BOTH_RATES,
)

BRINGS_CLOSER = Claim(
    PAPER,
    "Under Adam and RMSprop, sparse networks are ahead without BatchNorm, and lose the lead with it.",
    "4.1.1, tables 3a, 3b",
    (
        Half(
            "without any regularisation (NR) sparse networks win",
            Comparison(SPARSE_AND_DENSE, ACCURACY, HIGHER, EWMA, variants(lacks=_PLAIN), _BY_RATE),
            f"{_PAIR} of the variant NR, under Adam or RMSprop",
        ),
        Half(
            "with BatchNorm alone (BN) their lead is smaller than without (NR)",
            Comparison(
                part("BN", lacks=("DA", "L2", "SC")),
                Difference(Comparison(SPARSE_AND_DENSE, ACCURACY, HIGHER)),
                LOWER,
                EWMA,
                by=_BY_RATE,
            ),
            f"{_PAIR} of the variant BN beside one of NR, under Adam or RMSprop",
        ),
    ),
    AT_BOTH_RATES,
)

BEFORE_SKIPS = Claim(
    PAPER,
    "BatchNorm is worth more accuracy than skip connections, and both together are worth no more than BatchNorm.",
    "4.1.1, figures 2a, 2c",
    (
        Half(
            "BatchNorm alone (BN) is more accurate than skip connections alone (SC)",
            Comparison(values("variant", "BN", "SC", free=(*FIELDS["BN"], *FIELDS["SC"])), ACCURACY, HIGHER),
            "run of the variant BN beside one of SC",
        ),
        Half(
            "with BatchNorm, skip connections add nothing",
            Comparison(part("SC", has=("BN",), lacks=("DA", "L2")), ACCURACY, LOWER),
            "run of the variant SC_BN beside one of BN",
            denies=True,
        ),
    ),
    AT_BOTH_RATES,
)

STEADIES_FLOW = Claim(
    PAPER,
    "BatchNorm lowers and steadies EGF, under every optimizer and at both learning rates.",
    "4.1.1, figures 2b, 2d",
    (
        Half(
            "BatchNorm lowers EGF",
            Comparison(part("BN"), EGF, LOWER),
            "run with BatchNorm beside one without it, with a measured EGF",
        ),
        Half(
            "BatchNorm steadies EGF: runs lie nearer to the median of their configuration, over widths and seeds",
            Comparison(part("BN"), EGF_SPREAD, LOWER),
            "run with BatchNorm beside one without it, with a measured EGF",
        ),
    ),
    AT_BOTH_RATES,
)
