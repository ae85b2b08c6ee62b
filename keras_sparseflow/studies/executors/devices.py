"""What runs train on: strategies by name, and whether they can train the runs of a study."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from keras_sparseflow.plugins import Table
from keras_sparseflow.studies.spec.run_spec import RunSpec

if TYPE_CHECKING:
    from keras_sparseflow.studies.executors.executors import Options

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


def strategy_for(specs: Iterable[RunSpec], options: "Options") -> Any:
    """Returns the `tf.distribute.Strategy` that options name, if it can train these runs.

    Args:
        specs: of the runs.
        options: see `Options`.

    Raises:
        ValueError: more devices than there are, a batch that they can't share equally, XLA under a strategy, or what
            several processes would not compute alike.
        RuntimeError: no TPU, or workers that do not meet.
    """
    from keras_sparseflow.training.distributed.strategy import check_batch, compiles

    specs = list(specs)
    rescaled = [spec for spec in specs if spec.rescales]
    if rescaled and options.strategy == "multiworker":
        raise ValueError(
            "Tweak LRsI rescales initial weights in one process: several would come to other last digits; received "
            f"--strategy=multiworker with {rescaled[0].run_id}. Use none or mirrored."
        )
    diagnosed = [spec for spec in specs if isinstance(spec, RunSpec) and spec.measurement.diagnostics]
    if diagnosed and options.strategy == "multiworker":
        raise ValueError(
            f"Diagnostics are measured in one process; received --strategy=multiworker with {diagnosed[0].run_id}, "
            f"names {', '.join(diagnosed[0].diagnostics)}. Use none or mirrored."
        )
    strategy = STRATEGIES.get(options.strategy)(options.devices)
    compiles(options.jit, strategy)
    for batch_size in sorted({spec.training.batch_size for spec in specs}):
        check_batch(batch_size, strategy)
    return strategy


def is_chief(options: "Options") -> bool:
    """Returns whether this process writes files and reports: of several workers one does, and any other process."""
    from keras_sparseflow.training.distributed import multiworker

    return multiworker.is_chief(strategy_for([], options))
