"""The tensors of a model that count as layers when its gradient flow is measured."""

import keras

from keras_sparseflow.layers.lora import has_lora
from keras_sparseflow.layers.structure import Kernel, kernels_of, variables_of


def flow_kernels(model: keras.Model, tensors: str = "kernels") -> list[Kernel]:
    """Returns the tensors of a built model that count as layers, in the order of its layers.

    Args:
        model: any built Keras model, with masked or stock layers, nested or not.
        tensors: "kernels" (the kernels of dense and convolutional layers: no biases, normalisation
            or activation parameters) or "all" (every trainable weight).

    Raises:
        ValueError: the model has no such tensor, `tensors` is another word, or it is "kernels" and a trainable layer
            has a kernel that does not train: LoRA trains other variables, and a quantized kernel is fixed.

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
    if tensors == "kernels":
        _check_trained_as_stored(found)
    if not kernels:
        raise ValueError(
            f"Model {model.name!r} has no trainable {'kernels' if tensors == 'kernels' else 'weights'} "
            "whose gradient could be measured; build it first, or choose tensors='all'."
        )
    return kernels


def _check_trained_as_stored(kernels: list[Kernel]) -> None:
    for kernel in kernels:
        quantized = not keras.backend.is_float_dtype(kernel.variable.dtype)
        if (quantized or has_lora(kernel)) and all(layer.trainable for layer in kernel.chain):
            why = "is quantized" if quantized else "is frozen, while LoRA trains a product that it adds"
            raise ValueError(
                f"`tensors` must be 'all' (every trainable weight) where the kernel of a trainable layer is fixed; "
                f"received 'kernels', and the kernel of {kernel.path!r} {why}. Set `trainable` of that layer to False "
                "to leave the layer out."
            )


def check_tensors(tensors: str) -> str:
    """Returns `tensors` if `flow_kernels` accepts it, else raises ValueError."""
    if tensors not in ("kernels", "all"):
        raise ValueError(f"`tensors` must be 'kernels' or 'all'; received {tensors!r}.")
    return tensors
