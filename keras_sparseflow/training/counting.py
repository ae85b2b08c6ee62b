"""Counts of optimizer steps and batches, right also with loss scaling and gradient accumulation."""

import keras


def counting_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """Returns a compiled model's optimizer, or the one inside Keras' loss-scale optimizer of mixed_float16.

    Its iterations leave out steps that loss scaling skips and batches that are only accumulated.
    """
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def steps_done(model: keras.Model) -> int:
    """Returns how many steps a compiled model's optimizer has done."""
    return int(keras.ops.convert_to_numpy(counting_optimizer(model).iterations))


def batches_done(model: keras.Model) -> int:
    """Returns how many batches the optimizer has taken, also those that it has only accumulated."""
    return int(keras.ops.convert_to_numpy(counting_optimizer(model)._iterations))


def batches_per_step(model: keras.Model) -> int:
    """Returns how many batches the optimizer accumulates for a step."""
    return getattr(counting_optimizer(model), "gradient_accumulation_steps", None) or 1
