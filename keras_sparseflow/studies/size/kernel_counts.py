"""The kernels of a spec's network and their active weights, counted without building it."""

import functools
import itertools
from dataclasses import dataclass

from keras_sparseflow.data import DataSize
from keras_sparseflow.masks.score_table import DISTRIBUTIONS
from keras_sparseflow.models.counted_network import KernelUse
from keras_sparseflow.models.perceptron import kernel_names
from keras_sparseflow.studies.size.capacity import match_capacity
from keras_sparseflow.studies.spec.density_spec import DensitySpec
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.training_spec import TrainingSpec


@dataclass(frozen=True)
class CountedKernel(KernelUse):
    """One kernel of a network; see `KernelUse`.

    Args:
        active: how many of its weights are, in the end; where a score decides over all kernels together, what is
            expected of scores that are alike.
    """

    active: int


def kernels_of(spec: TrainingSpec, size: DataSize) -> tuple[CountedKernel, ...]:
    """Returns the kernels of the spec's network in order.

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
    return _kernels_at_density(spec, size)


def _active_counts(spec: DensitySpec, kernels: list[KernelUse]) -> dict[str, int] | int:
    """Returns how many weights of each kernel with a mask are active, or of all of them together.

    Args:
        spec: of the network.
        kernels: all that it has.

    Raises:
        ValueError: a kernel would be left without any, or none has a mask.
    """
    ends = _dense_ends(spec, kernels)
    masked = [kernel for kernel in kernels if kernel.name not in ends]
    if not masked:
        raise ValueError(
            f"`ends` must be 'sparse' for a network without other kernels than {' and '.join(ends)}; "
            f"received {spec.ends!r}."
        )
    counts = DISTRIBUTIONS.get(spec.distribution)([kernel.shape for kernel in masked], spec.density)
    if isinstance(counts, int):
        return counts
    for kernel, count in zip(masked, counts, strict=True):
        if not count:
            raise ValueError(
                f"`density` must leave every kernel at least one active weight; {spec.density} leaves none of the "
                f"{kernel.size} of {kernel.name!r}."
            )
    return {kernel.name: count for kernel, count in zip(masked, counts, strict=True)}


def decides_over_all(spec: TrainingSpec) -> bool:
    """Returns whether the score decides how many weights of each kernel are active."""
    return isinstance(spec, DensitySpec) and isinstance(DISTRIBUTIONS.get(spec.distribution)([(1,)], 1.0), int)


def _dense_ends(spec: DensitySpec, kernels: list[KernelUse]) -> tuple[str, ...]:
    return (kernels[0].name, kernels[-1].name) if spec.ends == "dense" else ()


def _spread(active: int, sizes: dict[str, int]) -> dict[str, int]:
    """Returns counts in proportion to the sizes that add up exactly."""
    places = itertools.accumulate(sizes.values(), initial=0)
    ends = [active * place // sum(sizes.values()) for place in places]
    return {name: end - start for name, (start, end) in zip(sizes, itertools.pairwise(ends), strict=True)}


def _kernels_at_density(spec: DensitySpec, size: DataSize) -> tuple[CountedKernel, ...]:
    architecture = MODELS.get(spec.model)
    kernels = architecture.kernels(
        size.input_shape, size.classes, spec.depth, spec.width, skip_connections="SC" in spec.parts
    )
    counts = _active_counts(spec, kernels)
    if isinstance(counts, int):
        ends = _dense_ends(spec, kernels)
        counts = _spread(counts, {kernel.name: kernel.size for kernel in kernels if kernel.name not in ends})
    return tuple(
        CountedKernel(kernel.name, kernel.shape, kernel.positions, counts.get(kernel.name, kernel.size))
        for kernel in kernels
    )


@functools.cache
def _kernels_of_arm(
    inputs: int, classes: int, hidden_layers: int, dense_width: int, max_width: int, sparse: bool
) -> tuple[CountedKernel, ...]:
    matched = match_capacity(inputs, classes, hidden_layers, dense_width, max_width)
    return tuple(
        CountedKernel(name, kernel.sparse_shape if sparse else kernel.dense_shape, 1, kernel.active)
        for name, kernel in zip(kernel_names(hidden_layers), matched, strict=True)
    )
