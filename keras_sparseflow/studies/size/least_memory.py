"""The memory that a network needs at least, counted before anything is written."""

from collections.abc import Mapping, Sequence

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.executors.execution import Execution
from keras_sparseflow.studies.size.kernel_counts import counted_kernels
from keras_sparseflow.studies.spec.run_spec import RunSpec

FLOAT_BYTES = 4


def least_bytes(spec: RunSpec, execution: Execution, size: DataSize) -> int:
    """Returns the bytes of a network's kernels, their gradients and masks; slots and images come on top.

    Args:
        spec: the network.
        execution: how it is computed.
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
        executions: how each is computed, by the run's id.
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
