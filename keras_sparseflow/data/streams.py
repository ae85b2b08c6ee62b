"""Training batches of several runs at once, gathered and augmented on the device of the images."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_sparseflow.data.augmentation import augment
from keras_sparseflow.data.batches import augmentation_key, batch_indices, steps_per_epoch, whole_order
from keras_sparseflow.data.images import ImageData


@dataclass(frozen=True)
class Stream:
    """Seed and augmentation of a run's batches; runs of one stream see the same batches.

    Args:
        seed: the run's seed.
        augment_pad: None for no augmentation; else the `pad` of `augment`.
        augment_flip: the `flip` of `augment`.
    """

    seed: int
    augment_pad: int | None = None
    augment_flip: bool = True


# The same pure functions of seed, epoch and step as in `training_batches` make the batches, so a run sees the same ones
# in a population and alone. The order of an epoch is sorted once for each seed, before the steps; a step then only
# gathers, which may be inside a compiled loop. Augmentation is keyed by the step, for a counter of its own would differ
# after a resume.
class BatchStreams:
    """The batches of several streams, each equal to those of `training_batches`.

    The images are on the device; a step gathers a batch for each stream, also inside a compiled function.

    Args:
        data: the dataset.
        batch_size: images per batch, in [1, number of training images].
        streams: one or more, each once.

    Attributes:
        batch_size: images per batch.
        steps: batches per epoch.
        signature: specs of the tensors that `batch` returns.

    Raises:
        ValueError: `batch_size` is out of its range.
    """

    def __init__(self, data: ImageData, batch_size: int, streams: Sequence[Stream]):
        self.steps = steps_per_epoch(data, batch_size)
        self.streams = list(streams)
        self.batch_size = batch_size
        self._images = tf.convert_to_tensor(data.train_images)
        self._labels = tf.convert_to_tensor(data.train_labels)
        shape = (len(self.streams), batch_size)
        self.signature = (
            tf.TensorSpec((*shape, *self._images.shape[1:]), self._images.dtype),
            tf.TensorSpec(shape, self._labels.dtype),
        )
        self._orders = tf.function(functools.partial(self._orders_of_seeds), autograph=False)

    def indices(self, epoch: int) -> tf.Tensor:
        """Returns the indices of the images in an epoch's batches, int32 of shape `(steps, streams, batch_size)`."""
        return self._orders(tf.constant(epoch, tf.int64))

    def batch(self, indices: tf.Tensor, step: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns one step's batch of each stream.

        Args:
            indices: indices of that step, int32 of shape `(streams, batch_size)`.
            step: steps since training began, over all epochs.

        Returns:
            Images of shape `(streams, batch_size, height, width, channels)` and labels of shape
            `(streams, batch_size)`.
        """
        images = tf.gather(self._images, indices)
        if any(stream.augment_pad is not None for stream in self.streams):
            images = tf.stack([self._augmented(images[i], stream, step) for i, stream in enumerate(self.streams)])
        return images, tf.gather(self._labels, indices)

    def whole_order(self) -> tf.Tensor:
        """Returns the order of `whole_batches`, int32 of shape `(images,)`."""
        return tf.constant(whole_order(len(self._images)))

    def plain(self, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the images and labels at these indices, without augmentation."""
        return tf.gather(self._images, indices), tf.gather(self._labels, indices)

    def _orders_of_seeds(self, epoch: tf.Tensor) -> tf.Tensor:
        seeds = dict.fromkeys(stream.seed for stream in self.streams)
        orders = {seed: batch_indices(seed, epoch, len(self._images), self.batch_size) for seed in seeds}
        return tf.stack([orders[stream.seed] for stream in self.streams], axis=1)

    def _augmented(self, images: tf.Tensor, stream: Stream, step: Any) -> tf.Tensor:
        if stream.augment_pad is None:
            return images
        return augment(images, augmentation_key(stream.seed, step), stream.augment_pad, stream.augment_flip)
