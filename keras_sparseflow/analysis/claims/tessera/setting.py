"""The setting of Tessera, Hooker and Rosman, 2021: their optimizers, and the conditions of their claims."""

from dataclasses import replace

import numpy as np

from keras_sparseflow.analysis.claims.claim import WHOLE_DATASET, Condition

PAPER = "Tessera et al., 2021"

EWMA = ("adam", "rmsprop")
"""Optimizers with an exponentially weighted moving average of squared gradients, of the paper's."""

NON_EWMA = ("adagrad", "sgd", "momentum")
"""The paper's other optimizers."""

ADAPTIVE = ("adagrad", *EWMA)
"""Optimizers that scale each gradient by earlier ones."""


def rate(value: float, strict: bool = False) -> Condition:
    """Returns the condition of a learning rate."""
    return Condition(f"learning rate {value:g}", "learning_rate", lambda own: bool(np.isclose(own, value)), strict)


LOW, HIGH = rate(0.001), rate(0.1)
RATES = Condition("learning rate 0.001 or 0.1", "learning_rate", lambda own: LOW.met(own) or HIGH.met(own))

DATASETS = Condition(
    "CIFAR-100, CIFAR-10 or Fashion-MNIST", "dataset", lambda name: name in ("cifar100", "cifar10", "fashion_mnist")
)
CIFAR_100 = Condition("CIFAR-100", "dataset", lambda name: name == "cifar100")
DEPTH = Condition("four hidden layers", "hidden_layers", lambda layers: layers == 4)
LENGTH = Condition("500 epochs or more", "epochs", lambda epochs: epochs >= 500)

PERCEPTRON = Condition("multilayer perceptrons", "model", lambda name: name == "mlp")

PERCEPTRONS = (PERCEPTRON, DATASETS, DEPTH, LENGTH, *WHOLE_DATASET)
"""The conditions of claims on multilayer perceptrons."""

AT_BOTH_RATES = (RATES, *PERCEPTRONS)
"""The conditions of claims that the paper makes for perceptrons at both of its learning rates."""

NO_CONVOLUTIONS = replace(PERCEPTRON, strict=True)
"""The condition of claims that the paper makes for Wide ResNets in other words."""

WIDE_RESNETS = (
    Condition("Wide ResNets", "model", lambda name: name == "wide_resnet", strict=True),
    Condition("28 layers", "depth", lambda depth: depth == 28),
    Condition("ten times the channels", "width", lambda width: width == 10),
    Condition("200 epochs or more", "epochs", lambda epochs: epochs >= 200),
)
"""The conditions of claims on convolutional networks, besides those on data and learning rate."""
