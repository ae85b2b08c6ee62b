"""The optimizer that counts the steps of a training, and how many batches one of its steps takes."""

import keras


def counting_optimizer(model: keras.Model) -> keras.optimizers.Optimizer:
    """Returns the optimizer of a compiled model, or the one within Keras' loss scale of mixed_float16.

    A step that the loss scale drops is not counted, nor a batch whose gradients are only accumulated.
    """
    return getattr(model.optimizer, "inner_optimizer", model.optimizer)


def steps_done(model: keras.Model) -> int:
    """Returns how many steps the optimizer of a compiled model has done."""
    return int(keras.ops.convert_to_numpy(counting_optimizer(model).iterations))


def batches_done(model: keras.Model) -> int:
    """Returns how many batches these were, those included whose gradients wait for a step."""
    return int(keras.ops.convert_to_numpy(counting_optimizer(model)._iterations))


def batches_per_step(model: keras.Model) -> int:
    """Returns how many batches the optimizer accumulates for a step."""
    return getattr(counting_optimizer(model), "gradient_accumulation_steps", None) or 1
