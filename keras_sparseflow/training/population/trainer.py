"""Training of stacks of networks side by side, with many steps in one compiled call."""

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_sparseflow.data.equal_batches import EqualBatches
from keras_sparseflow.data.streams import BatchStreams
from keras_sparseflow.training.distributed.device import default_jit
from keras_sparseflow.training.population.side_by_side import side_by_side
from keras_sparseflow.training.population.stack import Stack

CALL_SECONDS = 2.0
"""Target duration of a call: long enough to hide its overhead, short enough to be interrupted."""

BATCH_BYTES = 32 * 2**20
"""Memory for the batches that are made ahead, for the steps of a call."""


class Population:
    """Trains stacks side by side, on batches that it gathers itself.

    Args:
        stacks: stacks of networks.
        batches: the streams that the members' `stream` indexes.
        test: the test images of `evaluate`.
        jit_compile: whether XLA compiles the stacks' programs; None for yes on a GPU and no on a CPU, where
            TensorFlow's own kernels multiply matrices several times faster.

    Example:
        >>> import keras
        >>> from keras_sparseflow import load_images
        >>> from keras_sparseflow.data.equal_batches import EqualBatches
        >>> from keras_sparseflow.data.streams import Stream
        >>> from keras_sparseflow.training.population.stack import Member
        >>> inputs = keras.Input((4, 4, 1))
        >>> outputs = keras.layers.Dense(10, name="output")(keras.layers.Flatten()(inputs))
        >>> template = keras.Model(inputs, outputs)
        >>> shapes = {variable.path: tuple(variable.shape) for variable in template.variables}
        >>> members = [Member(variables={}, shapes=shapes, masks={}, learning_rate=rate) for rate in (0.01, 0.1)]
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> stack = Stack(template, members, keras.optimizers.SGD, loss)
        >>> data = load_images("digits", image_size=4, train_size=128)
        >>> batches = BatchStreams(data, 64, [Stream(seed=0)])
        >>> test = EqualBatches.of(data.test_images, data.test_labels, at_most=100)
        >>> networks = Population([stack], batches, test)
        >>> networks.train_epoch(0, measured=False)
        >>> (losses_and_accuracies,) = networks.evaluate()
        >>> losses_and_accuracies.shape
        (2, 2)
    """

    def __init__(
        self,
        stacks: Sequence[Stack],
        batches: BatchStreams,
        test: EqualBatches,
        jit_compile: bool | None = None,
    ):
        self.stacks = list(stacks)
        self._batches = batches
        self._test = test
        compiled = {"jit_compile": default_jit() if jit_compile is None else jit_compile, "autograph": False}
        # Partials, because TensorFlow counts the traces of a method over all instances and warns at the fifth.
        self._make_batches = tf.function(functools.partial(self._batches_from), **compiled)
        self._steps = [tf.function(functools.partial(_train_steps, stack), **compiled) for stack in stacks]
        self._tests = [tf.function(functools.partial(_test_on, stack), **compiled) for stack in stacks]
        self._sums, self._flows = (
            {
                training: [
                    tf.function(functools.partial(part, stack, batches, training), **compiled) for stack in stacks
                ]
                for training in (False, True)
            }
            for part in (_add_gradients, _flow_at_end)
        )
        step_bytes = sum(spec.shape.num_elements() * spec.dtype.size for spec in batches.signature)
        self._steps_ahead = max(1, min(batches.steps, BATCH_BYTES // step_bytes))
        self._steps_a_call = 1
        self._begun = False

    # A step of small networks takes less time than a call of TensorFlow from Python, so one call loops over many steps.
    # A call can't be interrupted and reports no progress, so its number of steps follows from the duration of the last
    # one. A fixed number would last minutes for large networks, or be mostly overhead for small ones. Batches are made
    # once ahead of the steps, because all stacks train on the same.
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
            self._call(indices, epoch, done, last, measured)
            self._adapt(last - done, time.monotonic() - started)
            done = last
            if on_call is not None:
                on_call(done)

    def train_means(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Returns, for each stack, the means of the epoch: see `Stack.epoch_means`."""
        return [stack.epoch_means(self._batches.steps) for stack in self.stacks]

    def evaluate(self, images: EqualBatches | None = None) -> list[np.ndarray]:
        """Returns, for each stack, the members' mean loss and accuracy, shape `(members, 2)`.

        Args:
            images: None for the test images.
        """
        images = self._test if images is None else images
        return self._test_on(images, len(images.images))

    def probe(self, training: bool = True, on_call: Callable[[int], None] | None = None) -> list[np.ndarray]:
        """Returns, for each stack, the flow of the mean gradient over all training images, see `Stack.flow_of`.

        All members share the batches of `whole_batches`. No weight and no statistic changes.

        Args:
            training: whether BatchNorm and dropout run in training mode.
            on_call: called with the number of batches done, every few seconds.
        """
        order, done, steps = self._batches.whole_order(), 0, self._batches.steps
        sums = [stack.no_gradients() for stack in self.stacks]
        while done < steps:
            last = min(steps, done + self._steps_a_call)  # a batch takes no longer than a step does
            first = tf.constant(done)
            sums = side_by_side(self._sums[training], order, first, tf.constant(last), own=sums, fetched=False)
            done = last
            if on_call is not None:
                on_call(done)
        return side_by_side(self._flows[training], order, own=sums)

    def states(self) -> list[list[dict[str, np.ndarray]]]:
        """Returns, for each stack, what `Stack.states` returns."""
        return [stack.states() for stack in self.stacks]

    def _call(self, indices: tf.Tensor, epoch: int, first: int, last: int, measured: bool) -> None:
        """Trains some steps and waits until they are done.

        The first call also compiles the test while the training is compiled.
        """
        batches = self._make_batches(indices, tf.constant(epoch, tf.int64), tf.constant(first, tf.int64))
        meanwhile = (lambda: None) if self._begun else functools.partial(self._test_on, self._test, 0)
        self._begun = True
        side_by_side(self._steps, *batches, tf.constant(last - first), tf.constant(measured), meanwhile=meanwhile)

    def _test_on(self, images: EqualBatches, batches: int) -> list[np.ndarray]:
        return side_by_side(self._tests, *images, tf.constant(batches))

    def _batches_from(self, indices: Any, epoch: Any, first: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the next batches of the epoch, stacked; the last one is repeated until all places are filled."""

        def batch(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._batches.batch(indices[number], epoch * self._batches.steps + number)

        numbers = tf.minimum(first + tf.range(self._steps_ahead, dtype=first.dtype), self._batches.steps - 1)
        return tf.map_fn(batch, numbers, fn_output_signature=self._batches.signature)

    def _adapt(self, steps: int, seconds: float) -> None:
        """Sets the number of steps of the next call: at most four times the last, for the first call also compiles."""
        affordable = int(steps * CALL_SECONDS / max(seconds, 1e-6))
        self._steps_a_call = max(1, min(affordable, 4 * self._steps_a_call, self._steps_ahead))


def _train_steps(stack: Stack, images: Any, labels: Any, steps: Any, measured: Any) -> tf.Tensor:
    """Trains a stack on the first `steps` of the batches in `images` and `labels`."""

    def step(number: tf.Tensor) -> tuple[tf.Tensor]:
        stack.step(images[number], labels[number], measured)
        return (number + 1,)

    return tf.while_loop(lambda number: number < steps, step, (0,))[0]


def _test_on(stack: Stack, images: Any, labels: Any, counted: Any, batches: Any) -> tf.Tensor:
    """Returns the members' mean loss and accuracy over all images; with 0 `batches` it is only compiled."""

    def add(number: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return number + 1, total + stack.evaluate(images[number], labels[number], counted[number])

    start = 0, tf.zeros((len(stack.members), 2))
    total = tf.while_loop(lambda number, total: number < batches, add, start, parallel_iterations=2)[1]
    return total / tf.reduce_sum(counted)


def _add_gradients(
    stack: Stack, batches: BatchStreams, training: bool, total: Sequence[tf.Tensor], order: Any, first: Any, last: Any
) -> list[tf.Tensor]:
    """Returns a sum over images plus the gradients of the full batches `first` to `last` - 1."""

    def add(number: tf.Tensor, *total: tf.Tensor) -> tuple[tf.Tensor, ...]:
        indices = tf.slice(order, [number * batches.batch_size], [batches.batch_size])
        return number + 1, *_with_gradients(stack, batches, training, total, indices)

    return list(tf.while_loop(lambda number, *_: number < last, add, (first, *total), parallel_iterations=1)[1:])


def _flow_at_end(
    stack: Stack, batches: BatchStreams, training: bool, total: Sequence[tf.Tensor], order: Any
) -> tf.Tensor:
    """Returns the flow of the mean gradient, from the sum over full batches and the images that remain."""
    rest = order[batches.steps * batches.batch_size :]  # a smaller batch, which the loop over full ones can't take
    if rest.shape[0]:
        total = _with_gradients(stack, batches, training, total, rest)
    return stack.flow_of([gradient / order.shape[0] for gradient in total])


def _with_gradients(
    stack: Stack, batches: BatchStreams, training: bool, total: Sequence[tf.Tensor], indices: tf.Tensor
) -> list[tf.Tensor]:
    """Returns a sum over images plus the gradients of one more batch."""
    gradients = stack.probe(*batches.plain(indices), training)
    return [so_far + indices.shape[0] * new for so_far, new in zip(total, gradients, strict=True)]
