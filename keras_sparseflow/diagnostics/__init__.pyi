# Written by `make api`: what __init__.py names, for type checkers.
from keras_sparseflow.diagnostics import activations as activations
from keras_sparseflow.diagnostics import callbacks as callbacks
from keras_sparseflow.diagnostics import hessian as hessian
from keras_sparseflow.diagnostics import landscape as landscape
from keras_sparseflow.diagnostics.activations import activation_sparsity as activation_sparsity
from keras_sparseflow.diagnostics.callbacks import ActivationSparsity as ActivationSparsity
from keras_sparseflow.diagnostics.callbacks import TopEigenvalue as TopEigenvalue
from keras_sparseflow.diagnostics.hessian import Eigenpair as Eigenpair
from keras_sparseflow.diagnostics.hessian import Hessian as Hessian
from keras_sparseflow.diagnostics.landscape import loss_along as loss_along
from keras_sparseflow.diagnostics.landscape import loss_surface as loss_surface
from keras_sparseflow.diagnostics.landscape import random_directions as random_directions
