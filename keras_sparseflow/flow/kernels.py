"""Which tensors of a model count as layers when its gradient flow is measured."""

from dataclasses import dataclass

import keras

from keras_sparseflow.layers import MaskedKernel


@dataclass(frozen=True)
class FlowKernel:
    """One tensor whose gradient is measured.

    Args:
        name: the layer's name; where a layer has several such tensors, followed by the tensor's.
        variable: the trainable variable.
        mask: its boolean mask variable, or None when all of it is active.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="hidden")], name="net")
        >>> (kernel,) = flow_kernels(model)
        >>> kernel.name, tuple(kernel.variable.shape), kernel.mask
        ('net/hidden', (3, 2), None)
    """

    name: str
    variable: keras.Variable
    mask: keras.Variable | None


def flow_kernels(model: keras.Model, tensors: str = "kernels") -> list[FlowKernel]:
    """Returns the tensors of a built model that count as layers, in the order of its weights.

    Args:
        model: any built Keras model, with masked or stock layers, nested or not.
        tensors: "kernels" (the kernels of dense and convolutional layers: no biases, normalisation
            or activation parameters) or "all" (every trainable weight).

    Raises:
        ValueError: the model has no such tensor, or `tensors` is another word.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="hidden")], name="net")
        >>> [kernel.name for kernel in flow_kernels(model)]
        ['net/hidden']
        >>> [kernel.name for kernel in flow_kernels(model, tensors="all")]
        ['net/hidden/kernel', 'net/hidden/bias']
    """
    check_tensors(tensors)
    masks = masks_by_kernel(model)
    variables = [v for v in model.trainable_variables if tensors == "all" or v.name.endswith("kernel")]
    if not variables:
        raise ValueError(
            f"Model {model.name!r} has no trainable {'kernels' if tensors == 'kernels' else 'weights'} "
            "whose gradient could be measured; build it first, or choose tensors='all'."
        )
    return [FlowKernel(_layer_name(v, variables), v, masks.get(id(v))) for v in variables]


def check_tensors(tensors: str) -> str:
    """Returns the word if it is one that `flow_kernels` knows, else raises ValueError."""
    if tensors not in ("kernels", "all"):
        raise ValueError(f"`tensors` must be 'kernels' or 'all'; received {tensors!r}.")
    return tensors


def masked_layers(model: keras.Model) -> list[MaskedKernel]:
    """Returns the built masked layers of a model, nested ones included."""
    return [layer for layer in model._flatten_layers() if isinstance(layer, MaskedKernel) and layer.built]


def masks_by_kernel(model: keras.Model) -> dict[int, keras.Variable]:
    """Returns the mask variable of every masked kernel in a model, by the `id` of the kernel variable."""
    return {id(layer.stored_kernel): layer.mask for layer in masked_layers(model)}


def _layer_name(variable: keras.Variable, variables: list[keras.Variable]) -> str:
    """Returns the path of a variable without its own name, unless another variable shares that."""
    owner = variable.path.rpartition("/")[0]
    siblings = sum(other.path.rpartition("/")[0] == owner for other in variables)
    return owner if siblings == 1 and owner else variable.path
