"""Training on TensorFlow: the model, its callbacks, and what they record."""

from keras_sparseflow.training.callbacks import GradientFlow
from keras_sparseflow.training.model import SparseModel
from keras_sparseflow.training.probe import measure_flow
from keras_sparseflow.training.pruning import MagnitudePruning

__all__ = ["GradientFlow", "MagnitudePruning", "SparseModel", "measure_flow"]
