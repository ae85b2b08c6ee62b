from .at_epochs import ActivationSparsity as ActivationSparsity
from .at_epochs import TopEigenvalue as TopEigenvalue
from .hessian import Eigenpair as Eigenpair
from .hessian import Hessian as Hessian
from .landscape import loss_along as loss_along
from .landscape import loss_surface as loss_surface
from .landscape import random_directions as random_directions
from .sparse_activations import activation_sparsity as activation_sparsity
