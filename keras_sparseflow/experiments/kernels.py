"""The kernels of a spec's network, counted without building it."""

import functools

from keras_sparseflow.data import DataSize
from keras_sparseflow.experiments.capacity import match_capacity
from keras_sparseflow.experiments.density_spec import DensitySpec
from keras_sparseflow.experiments.named import MODELS
from keras_sparseflow.experiments.spec import RunSpec
from keras_sparseflow.experiments.training_spec import TrainingSpec
from keras_sparseflow.models.architectures import KernelUse
from keras_sparseflow.models.mlp import kernel_names


def kernels_of(spec: TrainingSpec, size: DataSize) -> tuple[KernelUse, ...]:
    """Returns the kernels of the spec's network in order, as many weights of each active as in the end.

    Args:
        spec: the network.
        size: of its dataset.

    Raises:
        ValueError: there is no such network, or its density leaves a kernel no active weight.

    Example:
        >>> size = DataSize((32, 32, 3), 10, 50_000, 10_000)
        >>> [kernel.active for kernel in kernels_of(RunSpec(dense_width=308, max_width=3076, hidden_layers=1), size)]
        [946176, 3080]
    """
    if isinstance(spec, RunSpec):
        arm = (spec.hidden_layers, spec.dense_width, spec.max_width, spec.arm == "sparse")
        return _kernels_of_arm(size.inputs, size.classes, *arm)
    assert isinstance(spec, DensitySpec)
    kernels = MODELS.get(spec.model).kernels(
        size.input_shape,
        size.classes,
        spec.depth,
        spec.width,
        density=spec.density,
        dense_ends=spec.ends == "dense",
        skip_connections="SC" in spec.parts,
    )
    return tuple(kernels)


@functools.cache
def _kernels_of_arm(
    inputs: int, classes: int, hidden_layers: int, dense_width: int, max_width: int, sparse: bool
) -> tuple[KernelUse, ...]:
    matched = match_capacity(inputs, classes, hidden_layers, dense_width, max_width)
    return tuple(
        KernelUse(name, kernel.sparse_shape if sparse else kernel.dense_shape, kernel.active, positions=1)
        for name, kernel in zip(kernel_names(hidden_layers), matched, strict=True)
    )
