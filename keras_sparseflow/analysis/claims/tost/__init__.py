"""Claims of "Training Your Sparse Neural Network Better with Any Mask" (Jaiswal et al., 2022)."""

from keras_sparseflow.analysis.claims.tost.toolkit import ANY_MASK, EACH_TWEAK, GHOSTS_BY_SPARSITY
from keras_sparseflow.analysis.claims.tost.trajectory import SMOOTHER_TRAINING, WHEN_GHOSTS_FADE

CLAIMS = (ANY_MASK, EACH_TWEAK, GHOSTS_BY_SPARSITY, SMOOTHER_TRAINING, WHEN_GHOSTS_FADE)
"""The claims, in the order in which a report shows them."""
