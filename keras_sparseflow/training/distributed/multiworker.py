"""Training of one network by several processes, each with its own devices."""

import contextlib
import functools
import json
import os
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from keras_sparseflow.training.model import SparseModel

__all__ = ["MultiWorkerModel", "is_chief", "multiworker"]


@functools.cache
def multiworker(devices: int | None = None) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Returns the strategy that keeps a copy of the network on every device of every worker, and sums their gradients.

    The environment variable TF_CONFIG names the workers and which of them this process is. The call waits for all
    workers, and must come before TensorFlow has done anything. A worker uses all GPUs that it sees
    (CUDA_VISIBLE_DEVICES), or its CPU.

    Args:
        devices: the number of devices of all workers together, as a check; None for no check.

    Raises:
        ValueError: TF_CONFIG names no workers, or this process is none of them; another number of devices.
        RuntimeError: TensorFlow has started already; the workers do not find each other.

    Example:
        >>> multiworker()  # started without TF_CONFIG
        Traceback (most recent call last):
            ...
        ValueError: The environment variable TF_CONFIG must name the workers, and which of them this process is, ...
    """
    resolver = _cluster()
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    except tf.errors.OpError as error:
        raise RuntimeError(
            f"The workers that TF_CONFIG names, {os.environ['TF_CONFIG']}, did not meet: {str(error).splitlines()[0]}"
        ) from error
    except RuntimeError as error:
        raise RuntimeError(
            f"Workers must meet before TensorFlow has done anything in their processes. ({error})"
        ) from error
    if devices not in (None, strategy.num_replicas_in_sync):
        raise ValueError(
            f"`devices` must be {strategy.num_replicas_in_sync}, those of all workers together, or left out; received "
            f"{devices}."
        )
    return strategy


def worker_count(strategy: tf.distribute.Strategy) -> int:
    """Returns how many processes train together under a strategy: 1 unless it is a `MultiWorkerMirroredStrategy`."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    tasks = strategy.cluster_resolver.cluster_spec().as_dict()
    return max(1, sum(len(tasks.get(job, ())) for job in ("chief", "worker")))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Returns whether this process is the one that writes files: the chief, or worker 0 if none is called chief.

    Args:
        strategy: the strategy of the training; a process that trains alone is the chief.

    Example:
        >>> is_chief(tf.distribute.get_strategy())
        True
    """
    if worker_count(strategy) == 1:
        return True
    resolver = strategy.cluster_resolver
    job = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (job, 0)


def wait_for_workers(strategy: tf.distribute.Strategy) -> None:
    """Waits until every worker has called it, for instance after the chief wrote files that the others read.

    Raises:
        tf.errors.UnavailableError: a worker has gone.
    """
    if worker_count(strategy) > 1:
        strategy.reduce(tf.distribute.ReduceOp.SUM, tf.identity(0.0), axis=None).numpy()  # waits on GPUs too


def check_agreement(strategy: tf.distribute.Strategy, value: Any, what: str) -> None:
    """Waits for every worker, and raises an error on all of them unless all have the same value.

    Args:
        strategy: every worker's.
        value: any value that JSON can hold.
        what: name of the value, which begins the message.

    Raises:
        RuntimeError: workers have different values.
        tf.errors.UnavailableError: a worker has gone.
    """
    workers = worker_count(strategy)
    if workers == 1:
        return
    own = zlib.crc32(json.dumps(value, sort_keys=True).encode()) >> 8  # 24 bits: a sum of squares must fit into 64
    sums = strategy.reduce(tf.distribute.ReduceOp.SUM, tf.constant([own, own**2], tf.int64), axis=None).numpy()
    if int(sums[0]) ** 2 != workers * int(sums[1]):  # both sides are equal only for equal numbers (Cauchy-Schwarz)
        raise RuntimeError(f"{what} must be the same on every worker; they differ, and here it is {value}.")


@contextlib.contextmanager
def lost_workers_named(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Turns errors inside the context that come from a lost worker into a RuntimeError that says so."""
    try:
        yield
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError) as error:
        if worker_count(strategy) == 1:
            raise
        raise RuntimeError(
            "Another worker has ended, or can't be reached; its own output says why. Start all of them again."
        ) from error


def network_class() -> type[SparseModel]:
    """Returns `MultiWorkerModel` in the scope of a strategy of several workers, and `SparseModel` elsewhere."""
    return MultiWorkerModel if worker_count(tf.distribute.get_strategy()) > 1 else SparseModel


@keras.saving.register_keras_serializable("keras_sparseflow")
class MultiWorkerModel(SparseModel):
    """A `SparseModel` that several processes fit and evaluate under a `MultiWorkerMirroredStrategy`.

    Under any other strategy it is a plain `SparseModel`. docs/multiworker.md says what fails in Keras.

    Every worker builds, compiles and fits the same model with the same callbacks on the same batches, and trains
    its share of each batch. What Keras reads between steps, such as metrics, is reduced over all workers, so every
    worker must read it. Only the chief writes files.

    Example:
        >>> images = keras.Input((4,))
        >>> model = MultiWorkerModel(images, keras.layers.Dense(2)(images))
        >>> isinstance(model, SparseModel)
        True
    """

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds before the first step as Keras does, but with the shapes of this worker's share of a batch.

        Keras would reduce inputs and labels of a batch over the workers at once, which the strategy can't do.
        """
        if iterator is not None and worker_count(self.distribute_strategy) > 1:
            _, _, batches = next(iter(iterator))
            iterator, data_batch = None, keras.tree.map_structure(self._first_share, next(batches))
        super()._maybe_symbolic_build(iterator=iterator, data_batch=data_batch)

    def _make_function(self, step_function: Callable[[Any], dict[str, Any]]) -> Callable[[Any], dict[str, Any]]:
        """Makes functions of training and evaluation as Keras does, with an axis added to the metrics.

        Keras reduces metrics over workers along their first axis, and scalars have none.
        """
        if worker_count(self.distribute_strategy) == 1:
            return super()._make_function(step_function)
        if self.steps_per_execution != 1:
            raise ValueError(
                "`steps_per_execution` must be 1 under a strategy of several workers; received "
                f"{self.steps_per_execution}."
            )

        def step_with_axis(batch: Any) -> dict[str, Any]:
            return keras.tree.map_structure(lambda metric: tf.expand_dims(metric, 0), step_function(batch))

        return super()._make_function(step_with_axis)

    def _first_share(self, value: Any) -> Any:
        return self.distribute_strategy.experimental_local_results(value)[0]


def _cluster() -> tf.distribute.cluster_resolver.ClusterResolver:
    """Returns the cluster that TF_CONFIG names, if this process is one of its workers."""
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        tasks = resolver.cluster_spec().as_dict()
        this = (resolver.task_type, resolver.task_id)
    except (TypeError, ValueError):  # not JSON, or of another structure
        tasks, this = {}, (None, None)
    if this not in [(job, index) for job in ("chief", "worker") for index in range(len(tasks.get(job, ())))]:
        raise ValueError(
            "The environment variable TF_CONFIG must name the workers, and which of them this process is, as in "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}; received '
            f"{os.environ.get('TF_CONFIG')!r}."
        )
    return resolver
