"""Claims on gradient flow: that it goes with performance, and that high flow harms some optimizers."""

from keras_sparseflow.analysis.claims.case import HIGHER, LOWER
from keras_sparseflow.analysis.claims.claim import WHOLE_DATASET, Claim, Condition, Half
from keras_sparseflow.analysis.claims.correlated import OverVariants, egf_and_raw_norms
from keras_sparseflow.analysis.claims.tessera.setting import (
    AT_BOTH_RATES,
    DATASETS,
    EWMA,
    LENGTH,
    NON_EWMA,
    PAPER,
    PERCEPTRON,
)

_VARIANTS = "three variants or activations of one width and seed, with a measured EGF"

HIGH_FLOW_HARMS = Claim(
    PAPER,
    "Under Adam and RMSprop the variants of highest EGF are the least accurate; under other optimizers they are not.",
    "4.1.2, figures 2a to 2d",
    (
        Half(
            "under Adam and RMSprop accuracy falls with EGF over variants",
            OverVariants(LOWER, EWMA),
            f"{_VARIANTS}, under Adam or RMSprop",
        ),
        Half(
            "under Adagrad, SGD and momentum it does not",
            OverVariants(HIGHER, NON_EWMA),
            f"{_VARIANTS}, under Adagrad, SGD or momentum",
            denies=True,
        ),
    ),
    AT_BOTH_RATES,
)

_DEPTHS = Condition("one, two or four hidden layers", "hidden_layers", lambda layers: layers in (1, 2, 4))

EGF_LEADS = Claim(
    PAPER,
    "In sparse networks EGF correlates with performance better than raw gradient norms do.",
    "2.2, table 1",
    (
        Half(
            "EGF correlates better than the raw gradient, norm by norm",
            egf_and_raw_norms,
            "configuration of sparse networks of equal-capacity pairs with a tau of EGF and of the raw gradient",
        ),
    ),
    (PERCEPTRON, DATASETS, _DEPTHS, LENGTH, *WHOLE_DATASET),
)
