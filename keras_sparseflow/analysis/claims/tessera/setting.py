"""The setting of Tessera, Hooker and Rosman, 2021: their optimizers, and the conditions of their claims."""

import numpy as np

from keras_sparseflow.analysis.claims.claim import Condition

PAPER = "Tessera et al., 2021"

EWMA = ("adam", "rmsprop")
"""Optimizers with an exponentially weighted moving average of squared gradients, of the paper's."""

NON_EWMA = ("adagrad", "sgd", "momentum")
"""The paper's other ones."""

ADAPTIVE = ("adagrad", *EWMA)
"""Those that scale each gradient by earlier ones."""


def rate(value: float, strict: bool = False) -> Condition:
    """Returns the condition of a learning rate."""
    return Condition(f"learning rate {value:g}", "learning_rate", lambda own: bool(np.isclose(own, value)), strict)


LOW, HIGH = rate(0.001), rate(0.1)

DATASETS = Condition(
    "CIFAR-100, CIFAR-10 or Fashion-MNIST", "dataset", lambda name: name in ("cifar100", "cifar10", "fashion_mnist")
)
DEPTH = Condition("four hidden layers", "hidden_layers", lambda layers: layers == 4)
LENGTH = Condition("500 epochs or more", "epochs", lambda epochs: epochs >= 500)

PERCEPTRONS = (DATASETS, DEPTH, LENGTH)
"""The conditions of claims on multilayer perceptrons."""

NO_CONVOLUTIONS = Condition(
    "multilayer perceptrons",
    "hidden_layers",
    lambda layers: bool(isinstance(layers, int | float | np.number) and layers > 0),
    strict=True,
)
"""Of claims that the paper makes for Wide ResNets in other words."""

WIDE_RESNET = Condition("Wide ResNets", "model", lambda name: name == "wide_resnet", strict=True)
