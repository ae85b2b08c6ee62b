"""Options of executors, and the devices that runs are trained on."""

import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_sparseflow.checks import check_flag, check_names, check_number
from keras_sparseflow.plugins import Table, unknown_name
from keras_sparseflow.records.checkpoint_clock import CHECKPOINT_SECONDS

__all__ = ["Options"]

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


CALLBACKS = Table("callback", "keras_sparseflow.callback", {}, expects="callable")
"""Each is called with a run's spec and the path of its folder, and returns a Keras callback or a list of them."""

EXECUTIONS = ("auto", "masked", "sparse")
"""Ways to compute networks with masks: by masked layers, by layers of active weights alone, or as is faster."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """The way in which runs are executed. No option changes their results, but for last bits: `execution` and `jit`.

    Args:
        tensorboard: whether to write TensorBoard events.
        jit: whether XLA compiles the training; None for the measured default, yes on a GPU and no on a CPU.
        population_memory: bytes that a population may take; None for half of what the device has free.
        checkpoint_seconds: half-finished runs are saved at the ends of epochs, so many seconds apart at least.
        strategy: a name in `STRATEGIES`, the way in which several devices train one network; "none" for one device.
        devices: number of devices that share each batch, at least 1; None for all that the strategy finds.
        allow_collapse: whether masks may leave a kernel without any active weight, which is refused otherwise.
        execution: a name in `EXECUTIONS`: how networks with masks are computed.
        callbacks: plugins of the kind `callback`, or functions as `module:function`; they watch each network train.
        memory_growth: whether GPUs take memory as it is needed; nothing without a GPU.
        deterministic: whether operations give the same bits in every run, on several threads and on GPUs too.
        ray_address: of the executor "ray": "auto" for the cluster that this machine is part of, "local" for one that is
            started here, or "ray://host:port" of another machine's.
        task_cpus: cores that a task of it takes; None for as many as the threads that the study is planned for.
        task_gpus: GPUs that a task of it takes.
        task_retries: number of times that a task is tried again after its worker or node was lost.

    Raises:
        ValueError: an unknown strategy or execution, or a value of another type or out of its range.

    Example:
        >>> Options(strategy="mirrored", devices=2).devices
        2
    """

    tensorboard: bool = True
    jit: bool | None = None
    population_memory: int | None = None
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    strategy: str = "none"
    devices: int | None = None
    allow_collapse: bool = False
    execution: str = "auto"
    callbacks: tuple[str, ...] = ()
    memory_growth: bool = False
    deterministic: bool = False
    ray_address: str = "auto"
    task_cpus: int | None = None
    task_gpus: float = 0
    task_retries: int = 3

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise unknown_name(STRATEGIES.kind, self.strategy, STRATEGIES.names())
        if self.execution not in EXECUTIONS:
            raise unknown_name("execution", self.execution, list(EXECUTIONS))
        if self.callbacks != ():
            check_names("callbacks", self.callbacks)
        for name in ("tensorboard", "allow_collapse", "memory_growth", "deterministic"):
            check_flag(name, getattr(self, name))
        if self.jit is not None:
            check_flag("jit", self.jit)
        if self.population_memory is not None:
            check_number("population_memory", self.population_memory, whole=True, minimum=0)
        for name, value in (("devices", self.devices), ("task_cpus", self.task_cpus)):
            if value is not None:
                check_number(name, value, whole=True, minimum=1)
        check_number("checkpoint_seconds", self.checkpoint_seconds, minimum=0)
        check_number("task_gpus", self.task_gpus, minimum=0)
        check_number("task_retries", self.task_retries, whole=True, minimum=0)
        if self.ray_address not in ("auto", "local") and not str(self.ray_address).startswith("ray://"):
            raise ValueError(f"`ray_address` must be auto, local or ray://host:port; received {self.ray_address!r}.")


DEFAULT_OPTIONS = Options()


def callback_maker(name: str) -> Callable[[Any, Path], Any]:
    """Returns the function of a name.

    Args:
        name: of a plugin, or `module:function`.

    Raises:
        ValueError: no plugin of that name, or nothing that can be imported and called.

    Example:
        >>> callback_maker("keras_sparseflow.plugins:nothing")
        Traceback (most recent call last):
            ...
        ValueError: `callbacks` must name functions; 'keras_sparseflow.plugins:nothing' gives AttributeError: ...
    """
    if ":" not in name:
        made: Callable[[Any, Path], Any] = CALLBACKS.get(name)
        return made
    try:
        found: Any = pkgutil.resolve_name(name)
    except Exception as error:  # somebody else's module may raise anything
        raise ValueError(f"`callbacks` must name functions; {name!r} gives {type(error).__name__}: {error}.") from error
    if not callable(found):
        raise ValueError(f"`callbacks` must name functions; {name!r} is a {type(found).__name__}.")
    return found


def make_strategy(options: Options, batch_sizes: Iterable[int] = ()) -> Any:
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


def is_chief(options: Options) -> bool:
    """Returns whether this process writes files and reports: of several workers one does, and any other process."""
    from keras_sparseflow.training.distributed import multiworker

    return multiworker.is_chief(make_strategy(options))
