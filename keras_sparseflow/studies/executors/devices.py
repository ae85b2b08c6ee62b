"""What runs train on: strategies by name."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from keras_sparseflow.plugins import Table

if TYPE_CHECKING:
    from keras_sparseflow.studies.executors.options import Options

STRATEGIES = Table(
    "strategy",
    "keras_sparseflow.strategy",
    {
        "none": "keras_sparseflow.training.distributed.strategy:one_device",
        "mirrored": "keras_sparseflow.training.distributed.strategy:mirrored",
        "multiworker": "keras_sparseflow.training.distributed.multiworker:multiworker",
        "tpu": "keras_sparseflow.training.distributed.strategy:tpu",
    },
    expects="callable",
)
"""Each is called with a number of devices, or None, and returns a `tf.distribute.Strategy`."""


def make_strategy(options: "Options", batch_sizes: Iterable[int] = ()) -> Any:
    """Returns the `tf.distribute.Strategy` that options name, if it can train batches of these sizes.

    Args:
        options: see `Options`.
        batch_sizes: of the runs.

    Raises:
        ValueError: more devices than there are, a batch that they can't share equally, or XLA under a strategy.
        RuntimeError: no TPU, or workers that do not meet.
    """
    from keras_sparseflow.training.distributed.strategy import check_batch, compiles

    strategy = STRATEGIES.get(options.strategy)(options.devices)
    compiles(options.jit, strategy)
    for batch_size in sorted(batch_sizes):
        check_batch(batch_size, strategy)
    return strategy


def is_chief(options: "Options") -> bool:
    """Returns whether this process writes files and reports: of several workers one does, and any other process."""
    from keras_sparseflow.training.distributed import multiworker

    return multiworker.is_chief(make_strategy(options))
