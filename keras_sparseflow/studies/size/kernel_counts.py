"""The kernels of a spec's network and their active weights, counted without building it."""

import functools
import itertools
from dataclasses import dataclass
from typing import Any

from keras_sparseflow.data import DataSize
from keras_sparseflow.masks.score_table import DISTRIBUTIONS
from keras_sparseflow.models.counted_network import KernelUse
from keras_sparseflow.models.kernel_densities import dense_kernels
from keras_sparseflow.studies.spec.model_spec import DETAILS
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.studies.spec.run_spec import RunSpec


@dataclass(frozen=True)
class CountedKernel(KernelUse):
    """One kernel of a network; see `KernelUse`.

    Args:
        active: how many of its weights are, in the end; where a score decides over all kernels together, what is
            expected of scores that are alike.
    """

    active: int


def counted_kernels(spec: RunSpec, size: DataSize) -> tuple[CountedKernel, ...]:
    """Returns the kernels of the spec's network in order.

    Args:
        spec: the network.
        size: of its dataset.

    Raises:
        ValueError: there is no such network, or its density leaves a kernel no active weight.

    Example:
        >>> size = DataSize((32, 32, 3), 10, 50_000, 10_000)
        >>> spec = RunSpec.of(width=3076, hidden_layers=1, matched_fraction=0.1)
        >>> [(kernel.size, kernel.active) for kernel in counted_kernels(spec, size)]
        [(9449472, 946176), (30760, 3080)]
    """
    kernels = _kernels(spec, size, spec.model.width_fraction)
    counts = _active_counts(spec, size, kernels)
    if isinstance(counts, int):
        ends = dense_ends(spec, size)
        counts = _spread(counts, {kernel.name: kernel.size for kernel in kernels if kernel.name not in ends})
    return tuple(CountedKernel(**vars(kernel), active=counts.get(kernel.name, kernel.size)) for kernel in kernels)


def matched_kernels(spec: RunSpec, size: DataSize) -> list[tuple[KernelUse, KernelUse]]:
    """Returns each kernel of a matched pair in the dense and in the sparse arm.

    Args:
        spec: of either arm.
        size: of its dataset.

    References:
        Tessera, Hooker, Rosman 2021, eqs. 8 to 12. "20% of the weights in each layer", in the same appendix,
        contradicts these and the published counts.
    """
    fraction = spec.sparsity.matched_fraction or spec.model.width_fraction
    return list(zip(_kernels(spec, size, fraction), _kernels(spec, size, 1.0), strict=True))


def dense_ends(spec: RunSpec, size: DataSize) -> tuple[str, ...]:
    """Returns the names of the kernels that stay dense beside sparse ones."""
    ends = spec.sparsity.ends
    if ends not in ("dense", "dense_classifier"):
        return ()
    kernels = _kernels(spec, size, spec.model.width_fraction)
    return dense_kernels([kernel.name for kernel in kernels], ends == "dense", ends == "dense_classifier")


def _active_counts(spec: RunSpec, size: DataSize, kernels: tuple[KernelUse, ...]) -> dict[str, int] | int:
    """Returns how many weights of each kernel with a mask are active, or of all of them together.

    Raises:
        ValueError: a kernel would be left without any, or none has a mask.
    """
    sparsity = spec.sparsity
    if sparsity.matched_fraction is not None:
        return {sparse.name: dense.size for dense, sparse in matched_kernels(spec, size)}
    density = sparsity.density
    assert density is not None
    if density == 1:
        return {}
    ends = dense_ends(spec, size)
    masked = [kernel for kernel in kernels if kernel.name not in ends]
    if not masked:
        raise ValueError(
            f"`ends` must be 'sparse' for a network without other kernels than {' and '.join(ends)}; received "
            f"{sparsity.ends!r}."
        )
    shapes = [kernel.shape for kernel in masked]
    counts = DISTRIBUTIONS.get(sparsity.distribution or "uniform")(shapes, density)
    if isinstance(counts, int):
        return counts
    for kernel, count in zip(masked, counts, strict=True):
        if not count:
            raise ValueError(
                f"`density` must leave every kernel at least one active weight; {density} leaves none of the "
                f"{kernel.size} of {kernel.name!r}."
            )
    return {kernel.name: count for kernel, count in zip(masked, counts, strict=True)}


def _kernels(spec: RunSpec, size: DataSize, fraction: float) -> tuple[KernelUse, ...]:
    model, parts = spec.model, spec.training.parts
    options = {**model.size, "fraction": fraction, "skip_connections": "SC" in parts, "batch_norm": "BN" in parts}
    return _listed(model.architecture, size.input_shape, size.classes, *options.items(), *model.details.items())


@functools.lru_cache(maxsize=1000)
def _listed(
    architecture: str, input_shape: tuple[int, ...], classes: int, *arguments: tuple[str, Any]
) -> tuple[KernelUse, ...]:
    options = dict(arguments)
    details = {name: options.pop(name) for name in DETAILS if name in options}
    return tuple(MODELS.get(architecture).kernels(input_shape, classes, details=details, **options))


def _spread(active: int, sizes: dict[str, int]) -> dict[str, int]:
    """Returns counts in proportion to the sizes that add up exactly."""
    places = itertools.accumulate(sizes.values(), initial=0)
    ends = [active * place // sum(sizes.values()) for place in places]
    return {name: end - start for name, (start, end) in zip(sizes, itertools.pairwise(ends), strict=True)}
