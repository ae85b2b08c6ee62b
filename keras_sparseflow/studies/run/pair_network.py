"""The network of one arm of a matched pair, and the parts of it that populations stack."""

from math import prod
from typing import Any

import keras
import numpy as np

from keras_sparseflow.data import ImageData
from keras_sparseflow.layers.structure import kernels_of
from keras_sparseflow.models import mlp
from keras_sparseflow.models.initial_values import kernel_initializer, kernel_mask
from keras_sparseflow.models.perceptron import kernel_names
from keras_sparseflow.studies.run.masking import set_scored_masks
from keras_sparseflow.studies.run.recipe import l2_penalty
from keras_sparseflow.studies.size.capacity import KernelCapacity, match_capacity
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.distributed.multiworker import network_class


def arm_model(spec: RunSpec, data: ImageData) -> SparseModel:
    """Returns the spec's multilayer perceptron, initialised, with the masks of its score.

    Args:
        spec: what to build.
        data: whose image shape and classes it fits.
    """
    kernels = match_capacity(data.inputs, data.num_classes, spec.hidden_layers, spec.dense_width, spec.max_width)
    sparse, seeded = spec.arm == "sparse", spec.score == "random"
    model: SparseModel = mlp(
        data.input_shape,
        data.num_classes,
        [spec.width] * spec.hidden_layers,
        active=[kernel.active if seeded else prod(kernel.sparse_shape) for kernel in kernels] if sparse else None,
        fan_ins=[initial_fan_in(kernel, spec.init_fan_in) for kernel in kernels],
        l2=l2_penalty(spec),
        seed=spec.seed,
        model_class=network_class(),
        **_hidden_layers(spec),
    )
    if sparse and not seeded:
        counts = {name: kernel.active for name, kernel in zip(kernel_names(spec.hidden_layers), kernels, strict=True)}
        set_scored_masks(model, spec, data, None, counts)
    return model


def build_template(spec: RunSpec, data: ImageData, width: int) -> keras.Model:
    """Returns the graph that networks of a population share: the spec's, `width` wide, without masks or penalties."""
    return mlp(data.input_shape, data.num_classes, [width] * spec.hidden_layers, **_hidden_layers(spec))


def initial_kernels(spec: RunSpec, data: ImageData) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Returns the initial kernels of `build_network` and the sparse arm's masks, by the kernels' paths."""
    if spec.arm == "sparse" and spec.score != "random":
        return _kernels_and_masks(arm_model(spec, data))
    capacity = match_capacity(data.inputs, data.num_classes, spec.hidden_layers, spec.dense_width, spec.max_width)
    kernels, masks = {}, {}
    for index, (name, kernel) in enumerate(zip(kernel_names(spec.hidden_layers), capacity, strict=True)):
        path = f"{name}/kernel"
        shape = kernel.sparse_shape if spec.arm == "sparse" else kernel.dense_shape
        initializer = kernel_initializer(spec.seed, index, shape[0], initial_fan_in(kernel, spec.init_fan_in))
        kernels[path] = keras.ops.convert_to_numpy(initializer(shape, dtype="float32"))
        if spec.arm == "sparse":
            masks[path] = kernel_mask(spec.seed, index, shape, kernel.active)
            kernels[path] = np.where(masks[path], kernels[path], np.float32(0))
    return kernels, masks


def variable_shapes(
    template: keras.Model, template_width: int, kernels: dict[str, np.ndarray], width: int
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


def initial_fan_in(kernel: KernelCapacity, choice: str) -> float:
    """Returns the fan-in of the distribution that both arms' initial weights are drawn from.

    Args:
        kernel: the kernel in both arms.
        choice: "dense", "sparse" or "active".
    """
    return {
        "dense": kernel.dense_shape[0],
        "sparse": kernel.sparse_shape[0],
        "active": kernel.active_fan_in,
    }[choice]


def _kernels_and_masks(model: SparseModel) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    found = [(kernel.variable.path, kernel) for kernel in kernels_of(model)]
    values = {path: keras.ops.convert_to_numpy(kernel.variable) for path, kernel in found}
    return values, {path: keras.ops.convert_to_numpy(kernel.mask) for path, kernel in found if kernel.mask is not None}


def _hidden_layers(spec: RunSpec) -> dict[str, Any]:
    """Returns what `mlp` needs to know of a hidden layer besides its kernel."""
    return {
        "activation": spec.activation,
        "activation_arguments": spec.activation_arguments,
        "batch_norm": "BN" in spec.parts,
        "norm_place": spec.norm_place,
        "skip_connections": "SC" in spec.parts,
        "skip_span": spec.skip_span,
        "skip_place": spec.skip_place,
    }
