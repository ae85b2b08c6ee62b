"""Training on TensorFlow: the model, callbacks that record flow or change masks, and rescaled initial weights."""

from keras_sparseflow.training.callbacks import GradientFlow
from keras_sparseflow.training.dynamic.gradual import GradualMagnitude
from keras_sparseflow.training.dynamic.pruning import MagnitudePruning
from keras_sparseflow.training.dynamic.rewinding import RewindPoint, rewind, weights_of
from keras_sparseflow.training.dynamic.rigl import RigL
from keras_sparseflow.training.dynamic.set import SET
from keras_sparseflow.training.losses import SmoothedCrossEntropy
from keras_sparseflow.training.model import SparseModel
from keras_sparseflow.training.probe import measure_flow
from keras_sparseflow.training.recorder import flow_of_gradients
from keras_sparseflow.training.tost.ghost_schedule import GhostSchedule
from keras_sparseflow.training.tost.rescaling import Rescaling, rescale_init

__all__ = [
    "SET",
    "GhostSchedule",
    "GradientFlow",
    "GradualMagnitude",
    "MagnitudePruning",
    "Rescaling",
    "RewindPoint",
    "RigL",
    "SmoothedCrossEntropy",
    "SparseModel",
    "flow_of_gradients",
    "measure_flow",
    "rescale_init",
    "rewind",
    "weights_of",
]
