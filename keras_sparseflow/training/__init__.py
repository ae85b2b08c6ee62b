"""Training on TensorFlow: the model, its callbacks, and what they record."""

from keras_sparseflow.training.callbacks import GradientFlow
from keras_sparseflow.training.model import SparseModel
from keras_sparseflow.training.probe import measure_flow

__all__ = ["GradientFlow", "SparseModel", "measure_flow"]
