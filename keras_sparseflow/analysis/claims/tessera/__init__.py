"""Claims of "Keep the Gradients Flowing" (Tessera, Hooker and Rosman, 2021)."""

from keras_sparseflow.analysis.claims.tessera.activation_claim import SOFT_ACTIVATIONS
from keras_sparseflow.analysis.claims.tessera.augmentation_claim import AUGMENTATION
from keras_sparseflow.analysis.claims.tessera.batchnorm import (
    BEFORE_SKIPS,
    BRINGS_CLOSER,
    FAVOURS_SPARSE,
    STEADIES_FLOW,
)
from keras_sparseflow.analysis.claims.tessera.flow_claims import EGF_LEADS, HIGH_FLOW_HARMS
from keras_sparseflow.analysis.claims.tessera.l2_claims import (
    DECOUPLED_DECAY,
    L2_IN_WIDE_RESNETS,
    L2_WITH_BATCHNORM,
    L2_WITHOUT_BATCHNORM,
)

CLAIMS = (
    L2_WITH_BATCHNORM,
    L2_WITHOUT_BATCHNORM,
    FAVOURS_SPARSE,
    BRINGS_CLOSER,
    BEFORE_SKIPS,
    STEADIES_FLOW,
    AUGMENTATION,
    DECOUPLED_DECAY,
    HIGH_FLOW_HARMS,
    EGF_LEADS,
    SOFT_ACTIVATIONS,
    L2_IN_WIDE_RESNETS,
)
"""The claims, in the order in which a report shows them."""
