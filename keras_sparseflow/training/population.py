"""Stacks of networks that train as one program, many steps a call."""

import functools
import operator
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_sparseflow.data.streams import BatchStreams
from keras_sparseflow.training.device import default_jit
from keras_sparseflow.training.stack import Stack

CALL_SECONDS = 2.0
"""A call trains for about this long: long enough to cost nothing, short enough to be interrupted."""


class Population:
    """Trains stacks in step with each other, on batches that it gathers itself.

    Args:
        stacks: networks; those of one shape in one stack.
        batches: the streams that the members' `stream` counts.
        jit_compile: whether XLA compiles the program; None for yes on a GPU and no on a CPU, where
            TensorFlow's own kernels multiply matrices several times faster.

    Raises:
        MemoryError: from the methods that train, evaluate and probe, when the device has no room.

    Example:
        >>> import keras
        >>> from keras_sparseflow import load_images
        >>> from keras_sparseflow.data.streams import Stream
        >>> from keras_sparseflow.training.stack import Member
        >>> inputs = keras.Input((4, 4, 1))
        >>> outputs = keras.layers.Dense(10, name="output")(keras.layers.Flatten()(inputs))
        >>> template = keras.Model(inputs, outputs)
        >>> shapes = {variable.path: tuple(variable.shape) for variable in template.variables}
        >>> members = [Member(variables={}, shapes=shapes, masks={}, learning_rate=rate) for rate in (0.01, 0.1)]
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> stack = Stack(template, members, keras.optimizers.SGD, loss)
        >>> batches = BatchStreams(load_images("digits", image_size=4, train_size=128), 64, [Stream(seed=0)])
        >>> networks = Population([stack], batches)
        >>> networks.train_epoch(0, measured=False)
        >>> losses_and_accuracies, _ = networks.train_means()[0]
        >>> losses_and_accuracies.shape
        (2, 2)
    """

    def __init__(self, stacks: Sequence[Stack], batches: BatchStreams, jit_compile: bool | None = None):
        self.stacks = list(stacks)
        self._batches = batches
        compiled = {"jit_compile": default_jit() if jit_compile is None else jit_compile, "autograph": False}
        # As partials, for TensorFlow counts the traces of one method together and would warn of the fifth population's.
        self._steps = tf.function(functools.partial(self._train_steps), **compiled)
        self._evaluate = tf.function(functools.partial(self._evaluate_batch), reduce_retracing=True, **compiled)
        self._probe = tf.function(functools.partial(self._probe_batch), reduce_retracing=True, **compiled)
        self._flow = tf.function(functools.partial(self._flow_of), **compiled)
        self._steps_a_call = 1

    def train_epoch(self, epoch: int, measured: bool, on_call: Callable[[int], None] | None = None) -> None:
        """Trains every network one epoch.

        Args:
            epoch: its number, from 0.
            measured: whether flow is recorded in it.
            on_call: called with the number of steps done, every few seconds.
        """
        indices, done, steps = self._batches.indices(epoch), 0, self._batches.steps
        for stack in self.stacks:
            stack.start_epoch()
        while done < steps:
            last = min(steps, done + self._steps_a_call)
            started = time.monotonic()
            numbers = [tf.constant(number, tf.int64) for number in (epoch, done, last)]
            _guarded(functools.partial(self._call, indices, numbers, measured))
            self._adapt(last - done, time.monotonic() - started)
            done = last
            if on_call is not None:
                on_call(done)

    def train_means(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns, for each stack, the means of the epoch: see `Stack.epoch_means`."""
        return [stack.epoch_means(self._batches.steps) for stack in self.stacks]

    def evaluate(self, batches: Iterable[Any]) -> list[np.ndarray]:
        """Returns, for each stack, the members' mean loss and accuracy over batches, shape `(members, 2)`."""

        def values(images: tf.Tensor, labels: tf.Tensor) -> list[np.ndarray]:
            return [stack_values.numpy() for stack_values in self._evaluate(images, labels)]

        return _guarded(lambda: _mean_over(batches, values))

    def probe(self, batches: Iterable[Any], training: bool) -> list[np.ndarray]:
        """Returns, for each stack, the flow of the mean gradient over batches, weights and statistics at rest.

        Args:
            batches: pairs of images and labels.
            training: whether BatchNorm and dropout run in training mode.
        """

        def values() -> list[np.ndarray]:
            gradients = _mean_over(batches, lambda images, labels: self._probe(images, labels, training))
            return [stack_values.numpy() for stack_values in self._flow(gradients)]

        return _guarded(values)

    def states(self) -> list[list[dict[str, np.ndarray]]]:
        """Returns, for each stack, what `Stack.states` returns."""
        return [stack.states() for stack in self.stacks]

    def _call(self, indices: tf.Tensor, numbers: Sequence[tf.Tensor], measured: bool) -> None:
        """Trains some steps, and waits until they are done."""
        self._steps(indices, *numbers, tf.constant(measured)).numpy()

    def _train_steps(self, indices: Any, epoch: Any, first: Any, last: Any, measured: Any) -> tf.Tensor:
        def step(number: tf.Tensor) -> tf.Tensor:
            images, labels = self._batches.batch(indices[number], epoch * self._batches.steps + number)
            for stack in self.stacks:
                stack.step(images, labels, measured)
            return number + 1

        (done,) = tf.while_loop(lambda number: number < last, lambda number: (step(number),), (first,))
        return done

    def _evaluate_batch(self, images: tf.Tensor, labels: tf.Tensor) -> list[tf.Tensor]:
        return [stack.evaluate(images, labels) for stack in self.stacks]

    def _probe_batch(self, images: tf.Tensor, labels: tf.Tensor, training: bool) -> list[list[tf.Tensor]]:
        return [stack.probe(images, labels, training) for stack in self.stacks]

    def _flow_of(self, gradients: list[list[tf.Tensor]]) -> list[tf.Tensor]:
        return [stack.flow_of(own) for stack, own in zip(self.stacks, gradients, strict=True)]

    def _adapt(self, steps: int, seconds: float) -> None:
        """Sets how many steps the next call does, from what the last one took; the first one compiles too."""
        affordable = int(steps * CALL_SECONDS / max(seconds, 1e-6))
        self._steps_a_call = max(1, min(affordable, 4 * self._steps_a_call))


def _mean_over(batches: Iterable[Any], values: Callable[[Any, Any], Any]) -> Any:
    """Returns the mean over all examples of structures of per-batch means."""
    total, count = None, 0
    for images, labels in batches:
        size = len(labels)
        weighted = tf.nest.map_structure(lambda value, size=size: size * value, values(images, labels))
        total = weighted if total is None else tf.nest.map_structure(operator.add, total, weighted)
        count += size
    return tf.nest.map_structure(lambda value: value / count, total)


def _guarded(work: Callable[[], Any]) -> Any:
    """Does work whose result is in the host's memory; that the device has no room for it is Python's `MemoryError`."""
    try:
        return work()
    except tf.errors.ResourceExhaustedError as error:
        raise MemoryError(f"The device has no room for this population: {str(error).splitlines()[0]}") from error
