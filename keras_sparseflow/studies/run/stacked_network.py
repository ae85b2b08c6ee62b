"""A spec's multilayer perceptron as populations train it: the graph of a stack, and each member's values and masks."""

import keras
import numpy as np

from keras_sparseflow.data import ImageData
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.models import mlp
from keras_sparseflow.models.initial_values import kernel_initializer, kernel_mask
from keras_sparseflow.studies.run.network import (
    between_kernels,
    draws_masks,
    initial_fan_ins,
    initial_network,
    size_of,
)
from keras_sparseflow.studies.run.tweaking import Say, rescaled
from keras_sparseflow.studies.size import kernel_counts
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import SparseModel

Arrays = dict[str, np.ndarray]


def build_template(spec: RunSpec, data: ImageData, width: int) -> keras.Model:
    """Returns the graph that networks of a population share: the spec's, `width` wide, without masks or penalties."""
    widths = [width] * (spec.model.hidden_layers or 0)
    return mlp(data.input_shape, data.num_classes, widths, **between_kernels(spec), **spec.model.details)


def initial_kernels(spec: RunSpec, data: ImageData, say: Say = lambda _: None) -> tuple[Arrays, Arrays]:
    """Returns the initial values of a spec's network, by path, where they are not those of any, and its masks.

    They are those of `build_network`. Where each layer draws them for itself, they are drawn without building it.
    """
    if spec.training.rescaling is not None or not (spec.sparsity.is_dense or draws_masks(spec)):
        model = initial_network(spec, data, SparseModel)
        rescaled(model, spec, data, say)
        return _values_and_masks(model)
    size = size_of(data)
    fan_ins, ends = initial_fan_ins(spec, size), kernel_counts.dense_ends(spec, size)
    kernels, masks = {}, {}
    for index, kernel in enumerate(kernel_counts.kernels_of(spec, size)):
        path, inputs = f"{kernel.name}/kernel", kernel.shape[0]
        initializer = kernel_initializer(spec.seed, index, inputs, inputs if fan_ins is None else fan_ins[kernel.name])
        kernels[path] = keras.ops.convert_to_numpy(initializer(kernel.shape, dtype="float32"))
        if not spec.sparsity.is_dense and kernel.name not in ends:
            masks[path] = kernel_mask(spec.seed, index, kernel.shape, kernel.active)
            kernels[path] = np.where(masks[path], kernels[path], np.float32(0))
    return kernels, masks


def variable_shapes(
    template: keras.Model, template_width: int, kernels: Arrays, width: int
) -> dict[str, tuple[int, ...]]:
    """Returns the shapes that the template's variables have in a network of its own width.

    Args:
        template: from `build_template`.
        template_width: units of its hidden layers.
        kernels: the network's, by path.
        width: units of the network's hidden layers; other variables than kernels have as many entries, if they
            have as many as there are units.
    """

    def shape(variable: keras.Variable) -> tuple[int, ...]:
        if variable.path in kernels:
            return kernels[variable.path].shape
        return tuple(width if size == template_width else size for size in variable.shape)

    return {variable.path: shape(variable) for variable in template.variables}


def _values_and_masks(model: SparseModel) -> tuple[Arrays, Arrays]:
    """Returns the values of all weights, those of BatchNorm too, and the masks of kernels."""
    masks = {kernel.variable.path: kernel.mask for kernel in kernels_of(model) if kernel.mask is not None}
    values = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables}
    return values, {path: keras.ops.convert_to_numpy(mask) for path, mask in masks.items()}
