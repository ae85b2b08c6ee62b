"""Optimizers that Keras has only under other arguments."""

import keras


def momentum(learning_rate: float) -> keras.optimizers.SGD:
    """Returns SGD with momentum 0.9, the paper's "Mom (0.9)"."""
    return keras.optimizers.SGD(learning_rate, momentum=0.9)
