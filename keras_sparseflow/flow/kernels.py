"""Which tensors of a model count as layers when its gradient flow is measured."""

import keras

from keras_sparseflow.layers.structure import Kernel, kernels_of, variables_of


def flow_kernels(model: keras.Model, tensors: str = "kernels") -> list[Kernel]:
    """Returns the tensors of a built model that count as layers, in the order of its layers.

    Args:
        model: any built Keras model, with masked or stock layers, nested or not.
        tensors: "kernels" (the kernels of dense and convolutional layers: no biases, normalisation
            or activation parameters) or "all" (every trainable weight).

    Raises:
        ValueError: the model has no such tensor, or `tensors` is another word.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="hidden")])
        >>> [kernel.path for kernel in flow_kernels(model)]
        ['hidden']
        >>> [kernel.path for kernel in flow_kernels(model, tensors="all")]
        ['hidden/kernel', 'hidden/bias']
    """
    check_tensors(tensors)
    trained = {id(variable) for variable in model.trainable_variables}
    found = kernels_of(model) if tensors == "kernels" else variables_of(model)
    kernels = [kernel for kernel in found if id(kernel.variable) in trained]
    if not kernels:
        raise ValueError(
            f"Model {model.name!r} has no trainable {'kernels' if tensors == 'kernels' else 'weights'} "
            "whose gradient could be measured; build it first, or choose tensors='all'."
        )
    return kernels


def check_tensors(tensors: str) -> str:
    """Returns the word if it is one that `flow_kernels` knows, else raises ValueError."""
    if tensors not in ("kernels", "all"):
        raise ValueError(f"`tensors` must be 'kernels' or 'all'; received {tensors!r}.")
    return tensors
