"""The computation of each network: dense, by masked layers or by active weights alone; the memory it needs."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.size.kernel_counts import CountedKernel, counted_kernels
from keras_sparseflow.studies.spec.run_spec import RunSpec

_KEEP_COUNTS = (None, "static", "rigl", "set", "lottery")
"""Methods under which as many weights stay active from the first step of a run to the last."""

LARGE = 2**22
"""Weights, the inactive ones included, from which on a network that can be sparse trains alone."""

_COMPARE_ENTRIES = ("adafactor", "muon")
"""Optimizers that train a matrix in another way than a vector of its entries."""

FLOAT_BYTES = 4


@dataclass(frozen=True)
class Execution:
    """The way in which a network is computed. It decides last bits, and is no part of what a run is named after.

    Args:
        name: "dense", "masked" or "sparse".
        by: of a sparse network, what its kernels are provided by: "numba" or "tensorflow"; else "".
        reason: of a masked network, why it is not sparse; else "".
        max_density: of a sparse network, the density up to which its layers are; else None.

    Example:
        >>> str(Execution("sparse", by="numba")), str(Execution("masked", reason="it was told so"))
        ('sparse, by numba', 'masked: it was told so')
    """

    name: str
    by: str = ""
    reason: str = ""
    max_density: float | None = None

    def __str__(self) -> str:
        return self.name + (f", by {self.by}" if self.by else "") + (f": {self.reason}" if self.reason else "")


def execution_of(spec: RunSpec, size: DataSize, options: Options) -> Execution:
    """Returns how a network that trains alone is computed.

    Args:
        spec: of the run.
        size: of its dataset.
        options: options; their `execution` decides, where it can.

    Raises:
        ValueError: "sparse" is asked for and impossible.
    """
    if spec.sparsity.is_dense and spec.sparsity.tickets is None:
        return Execution("dense")
    if options.execution == "masked":
        return Execution("masked", reason="--execution=masked")
    why = _why_not(spec, options)
    if why is not None:
        if options.execution == "sparse":
            raise ValueError(f"`execution` must be 'masked' or 'auto' for {spec.name}: {why}; received 'sparse'.")
        return Execution("masked", reason=why)
    from keras_sparseflow.layers.sparse.providers import BREAK_EVEN, provider
    from keras_sparseflow.training.distributed.device import on_gpu

    if options.execution == "auto" and (options.task_gpus or on_gpu()):
        return Execution("masked", reason="sparse layers were not measured on a GPU")
    by = provider()
    limit = 1.0 if options.execution == "sparse" else BREAK_EVEN[by]
    if any(_may_be_sparse(kernel, limit) for kernel in counted_kernels(spec, size)):
        return Execution("sparse", by=by, max_density=limit)
    return Execution("masked", reason=f"no large kernel of a product has a density of at most {limit:g}")


def faster_alone(spec: RunSpec, size: DataSize, options: Options) -> bool:
    """Returns whether a large network trains faster alone, by its active weights, than stacked with others.

    In a stack all weights are multiplied, and large products gain little by company (docs/sparse_execution.md).
    """
    weights = sum(kernel.size for kernel in counted_kernels(spec, size))
    return weights >= LARGE and options.execution != "masked" and execution_of(spec, size, options).name == "sparse"


def counted_executions(executions: Iterable[Execution]) -> list[tuple[str, int]]:
    """Returns each execution in words, and how many networks have it."""
    return list(Counter(map(str, executions)).items())


def least_bytes(spec: RunSpec, execution: Execution, size: DataSize) -> int:
    """Returns the bytes of a network's kernels, their gradients and masks; slots and images come on top.

    Args:
        spec: the network.
        execution: execution of the network.
        size: of its dataset.

    Example:
        >>> spec = RunSpec.of(width=100, hidden_layers=1, density=0.5)
        >>> least_bytes(spec, Execution("masked"), DataSize((8, 8, 1), 10, 100, 100))  # 7,400 weights of 9 bytes
        66600
    """
    kernels = counted_kernels(spec, size)
    stored, active = (sum(getattr(kernel, name) for kernel in kernels) for name in ("size", "active"))
    held = active if execution.name == "sparse" else stored
    return 2 * FLOAT_BYTES * held + (0 if execution.name == "dense" else stored)


def check_memory(specs: Sequence[RunSpec], executions: Mapping[str, Execution], size: DataSize) -> None:
    """Refuses a network that trains alone and is larger than the memory that is free.

    Args:
        specs: the networks that train alone.
        executions: execution of each, by the run's id.
        size: of their dataset.

    Raises:
        MemoryError: the message names the network, what it needs and what there is.
    """
    from keras_sparseflow.training.distributed.device import free_memory

    needed = {spec: least_bytes(spec, executions[spec.run_id], size) for spec in specs}
    largest = max(needed, key=lambda spec: needed[spec], default=None)
    if largest is not None and needed[largest] > (free := free_memory()):
        raise MemoryError(
            f"The network {largest.run_id} needs at least {needed[largest]:,} bytes for its weights and gradients; "
            f"{free:,} are free. Use a smaller `--width` or `--depth`, or a machine with more memory."
        )


def _may_be_sparse(kernel: CountedKernel, limit: float) -> bool:
    """Returns whether a kernel becomes sparse: of a dense layer or a convolution of size 1x1, large and sparse."""
    from keras_sparseflow.layers.sparse.providers import MIN_ENTRIES

    matrix = all(side == 1 for side in kernel.shape[:-2]) and len(kernel.shape) in (2, 4)
    return matrix and math.prod(kernel.shape) >= MIN_ENTRIES and kernel.active < limit * kernel.size + 1


def _why_not(spec: RunSpec, options: Options) -> str | None:
    """Returns why a network with masks cannot be computed by active weights alone; None if it can."""
    training, method = spec.training, spec.sparsity.method
    reasons = {
        f"--strategy={options.strategy} shares batches among replicas": options.strategy != "none",
        "--jit compiles by XLA, which has no sparse kernels": options.jit is True,
        f"under method {method!r} fewer and fewer weights are active": method not in _KEEP_COUNTS,
        "diagnostics take second derivatives": bool(spec.measurement.diagnostics),
        "ghosts change the network's graph": bool(training.tweak_names & {"GSk", "GSw"}),
        f"optimizer {training.optimizer!r} looks at whole matrices": training.optimizer in _COMPARE_ENTRIES,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
