"""Keras optimizers with the paper's arguments, and weight decay of kernels alone."""

from collections.abc import Sequence
from typing import Any

import keras


def momentum(learning_rate: Any, **options: Any) -> keras.optimizers.SGD:
    """Returns SGD with momentum 0.9, the paper's "Mom (0.9)".

    Args:
        learning_rate: above 0, or a schedule.
        **options: other arguments of `keras.optimizers.SGD`; `momentum` replaces 0.9.

    Example:
        >>> momentum(0.1, nesterov=True).get_config()["momentum"]
        0.9
    """
    return keras.optimizers.SGD(learning_rate, **{"momentum": 0.9, **options})


def adagrad(learning_rate: Any, **options: Any) -> keras.optimizers.Adagrad:
    """Returns Adagrad whose accumulators start at 0, as in the paper, not at Keras' 0.1.

    The paper's networks have gradients so small that 0.1 outweighs their squares for most of the training; Adagrad
    is then a slow SGD.

    Args:
        learning_rate: above 0, or a schedule.
        **options: other arguments of `keras.optimizers.Adagrad`; `initial_accumulator_value` replaces 0.

    Raises:
        ValueError: `epsilon` is 0 and the accumulators start at 0: a weight without gradient would become NaN.

    Example:
        >>> adagrad(0.1).initial_accumulator_value
        0.0

    References:
        Tessera, Hooker, Rosman 2021, equation 13: v_t = v_{t-1} + g^2.
    """
    optimizer = keras.optimizers.Adagrad(learning_rate, **{"initial_accumulator_value": 0.0, **options})
    if not optimizer.epsilon and not optimizer.initial_accumulator_value:
        raise ValueError(
            "`epsilon` must be above 0 where accumulators start at 0, else weights without gradient become NaN; "
            f"received {optimizer.epsilon}."
        )
    return optimizer


@keras.saving.register_keras_serializable("keras_sparseflow")
class AdamW(keras.optimizers.AdamW):
    """Adam with decoupled weight decay: a step shrinks weights by learning rate * lambda * weight.

    With the default lambda of 0 (Keras has 0.004) it is Adam. `decay_kernels` sets lambda for kernels alone.

    Args:
        learning_rate: above 0, or a schedule.
        weight_decay: lambda, at least 0.
        **options: other arguments of `keras.optimizers.Adam`.

    Example:
        >>> AdamW(0.001, weight_decay=0.01).weight_decay
        0.01

    References:
        Loshchilov & Hutter 2019, Decoupled Weight Decay Regularization, with a learning rate as Keras has it.
    """

    decouples_l2 = True
    """Tells studies that the variant part L2 calls `decay_kernels` and adds no term to the loss."""

    def __init__(self, learning_rate: Any, weight_decay: float = 0.0, **options: Any):
        super().__init__(learning_rate, weight_decay, **options)


def decay_kernels(optimizer: keras.optimizers.Optimizer, decay: Any, variables: Sequence[keras.Variable]) -> None:
    """Makes an optimizer shrink kernels, and no other weights, by learning rate * decay * kernel in each step.

    Args:
        optimizer: any Keras optimizer that is not built yet.
        decay: lambda, at least 0: a number, or an array that broadcasts with each kernel.
        variables: all variables that the optimizer will train.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.set_weights([np.ones((2, 1)), np.ones(1)])
        >>> optimizer = keras.optimizers.SGD(0.1)
        >>> decay_kernels(optimizer, 0.5, model.variables)
        >>> optimizer.build(model.variables)
        >>> optimizer.apply([keras.ops.zeros_like(variable) for variable in model.variables])
        >>> [round(float(variable.numpy().ravel()[0]), 4) for variable in model.variables]
        [0.95, 1.0]
    """
    optimizer.weight_decay = decay
    optimizer.exclude_from_weight_decay([variable for variable in variables if not is_kernel(variable.path)])


def is_kernel(path: str) -> bool:
    """Returns whether a variable's path ends in the name that Keras gives the kernel of a layer.

    Args:
        path: path of the variable.

    Example:
        >>> is_kernel("hidden/kernel"), is_kernel("hidden/bias")
        (True, False)
    """
    return path.rpartition("/")[2] == "kernel"
