"""Batches of an `ImageData`, as `tf.data` pipelines that gather whole batches at once."""

import numpy as np
import tensorflow as tf

from keras_sparseflow.checks import check_number, check_seed
from keras_sparseflow.data.augmentation import augment
from keras_sparseflow.data.images import ImageData, check_pad

# Named, because TensorFlow's default generator is another one under XLA.
_GENERATOR = "philox"
_AUGMENTATION = 1  # keeps the seeds of augmentation apart from those of the order


def steps_per_epoch(data: ImageData, batch_size: int) -> int:
    """Returns the number of full batches in the training images.

    Args:
        data: the dataset.
        batch_size: images per batch, in [1, number of training images].

    Raises:
        ValueError: not even one batch is full.

    Example:
        >>> from keras_sparseflow import load_images
        >>> steps_per_epoch(load_images("digits", train_size=200), batch_size=64)
        3
    """
    count = len(data.train_images)
    check_number("batch_size", batch_size, whole=True)
    if not 1 <= batch_size <= count:
        raise ValueError(f"`batch_size` must be in [1, {count}], the number of training images; received {batch_size}.")
    return count // batch_size


def training_batches(
    data: ImageData,
    batch_size: int,
    *,
    seed: int,
    epochs: int,
    initial_epoch: int = 0,
    augment_pad: int | None = None,
    augment_flip: bool = True,
) -> tf.data.Dataset:
    """Returns shuffled full batches of the training images, epoch after epoch.

    An epoch is a random permutation of the images without the last few, which fill no batch. Batches
    depend only on the seed, the epoch and the step, so a run that resumes at `initial_epoch` sees the same
    batches as without the interruption.

    Args:
        data: the dataset.
        batch_size: images per batch, in [1, number of training images].
        seed: the run's seed, an integer of at least 0.
        epochs: the epoch to stop before.
        initial_epoch: the epoch to start with.
        augment_pad: None for no augmentation; else the `pad` of `augment`, of which 0 only flips and
            `augmentation_pad` returns the default.
        augment_flip: the `flip` of `augment`.

    Returns:
        A dataset of `steps_per_epoch * (epochs - initial_epoch)` pairs: images of shape
        `(batch_size, height, width, channels)` and labels of shape `(batch_size,)`.

    Raises:
        ValueError: `batch_size` is out of its range, or the epochs are.

    Example:
        >>> from keras_sparseflow import load_images
        >>> digits = load_images("digits", train_size=200)
        >>> batches = training_batches(digits, 64, seed=0, epochs=2)
        >>> [images.shape.as_list() for images, labels in batches][-1], len(list(batches))
        ([64, 8, 8, 1], 6)
    """
    seed, steps = check_seed(seed), steps_per_epoch(data, batch_size)
    check_number("epochs", epochs, whole=True)
    check_number("initial_epoch", initial_epoch, whole=True)
    if augment_pad is not None:
        check_pad(augment_pad, *data.input_shape[:2], "augment_pad")
    if not 0 <= initial_epoch <= epochs:
        raise ValueError(f"`initial_epoch` must be in [0, {epochs}], up to `epochs`; received {initial_epoch}.")
    count = len(data.train_images)
    images, labels = _on_host(data.train_images), _on_host(data.train_labels)

    @tf.autograph.experimental.do_not_convert
    def order(epoch: tf.Tensor) -> tf.data.Dataset:
        indices = tf.data.Dataset.from_tensor_slices(batch_indices(seed, epoch, count, batch_size))
        return tf.data.Dataset.zip(tf.data.Dataset.range(epoch * steps, (epoch + 1) * steps), indices)

    @tf.autograph.experimental.do_not_convert
    def batch(step: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        batch_images = tf.gather(images, indices)
        if augment_pad is not None:
            batch_images = augment(batch_images, augmentation_key(seed, step), augment_pad, augment_flip)
        return batch_images, tf.gather(labels, indices)

    parallel = None if augment_pad is None else tf.data.AUTOTUNE  # a plain gather is faster than handing it to a thread
    batches = (
        tf.data.Dataset.range(initial_epoch, epochs)
        .flat_map(order)
        .map(batch, num_parallel_calls=parallel)
        .apply(tf.data.experimental.assert_cardinality(steps * (epochs - initial_epoch)))
        .prefetch(tf.data.AUTOTUNE)
    )
    return _with_options(batches)


def ordered_batches(images: np.ndarray, labels: np.ndarray, batch_size: int) -> tf.data.Dataset:
    """Returns all images in order, the last batch with what remains.

    Args:
        images: array of shape `(count, height, width, channels)`.
        labels: array of shape `(count,)`.
        batch_size: images per batch, 1 or more.

    Returns:
        A dataset of pairs: images of shape `(batch_size, height, width, channels)` and labels of shape
        `(batch_size,)`, the last pair perhaps shorter.

    Raises:
        ValueError: `batch_size` is not positive, or there is not one label per image.

    Example:
        >>> images, labels = np.zeros((5, 2, 2, 1), "float32"), np.arange(5)
        >>> [labels.numpy().tolist() for _, labels in ordered_batches(images, labels, 2)]
        [[0, 1], [2, 3], [4]]
    """
    _check_batch_size(batch_size)
    if len(images) != len(labels):
        raise ValueError(f"`labels` must be one per image, {len(images)}; received {len(labels)}.")
    all_images, all_labels = _on_host(images), _on_host(labels)

    @tf.autograph.experimental.do_not_convert
    def batch(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return all_images[start : start + batch_size], all_labels[start : start + batch_size]

    batches = tf.data.Dataset.range(0, len(images), batch_size).map(batch).prefetch(tf.data.AUTOTUNE)
    return _with_options(batches)


def whole_batches(data: ImageData, batch_size: int) -> tf.data.Dataset:
    """Returns all training images in batches, without augmentation, the last batch with what remains.

    Their order is random, so that no batch holds a single class, but always the same, so that measurements on them
    depend on the network alone.

    Args:
        data: the dataset.
        batch_size: images per batch, 1 or more.

    Returns:
        A dataset of pairs as `ordered_batches` returns it.

    Raises:
        ValueError: `batch_size` is not positive.

    Example:
        >>> from keras_sparseflow import load_images
        >>> [len(labels) for _, labels in whole_batches(load_images("digits", train_size=200), 64)]
        [64, 64, 64, 8]
    """
    _check_batch_size(batch_size)
    images, labels = _on_host(data.train_images), _on_host(data.train_labels)
    order = _on_host(whole_order(len(data.train_images)))

    @tf.autograph.experimental.do_not_convert
    def batch(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        indices = order[start : start + batch_size]
        return tf.gather(images, indices), tf.gather(labels, indices)

    batches = tf.data.Dataset.range(0, len(data.train_images), batch_size).map(batch).prefetch(tf.data.AUTOTUNE)
    return _with_options(batches)


def whole_order(count: int) -> np.ndarray:
    """Returns the order of `whole_batches`, a permutation of int32 that depends on the number of images alone."""
    return np.random.default_rng(0).permutation(count).astype("int32")


def batch_indices(seed: int | tf.Tensor, epoch: int | tf.Tensor, count: int, batch_size: int) -> tf.Tensor:
    """Returns the indices of the images in each batch of an epoch.

    It is a pure function of its arguments, which compiles under XLA and gives the same indices there.

    Args:
        seed: the run's seed, an integer.
        epoch: integer, 0 or more.
        count: the number of training images.
        batch_size: images per batch, in [1, count].

    Returns:
        int32 of shape `(count // batch_size, batch_size)`: without repeats, and each in [0, count).

    Example:
        >>> sorted(batch_indices(seed=0, epoch=3, count=6, batch_size=2).numpy().ravel().tolist())
        [0, 1, 2, 3, 4, 5]
    """
    # The order of a shuffle buffer depends on all that was drawn before. Here each epoch draws its own order, by a
    # stateless generator with a key of seed and epoch. So a resumed run, or a run that trains in a population, sees the
    # same batches as one that trains alone from the start. The images are sorted by random numbers, because
    # TensorFlow's `stateless_shuffle` does not compile under XLA.
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
    ranks = tf.random.stateless_uniform((count,), key, None, None, tf.int64, alg=_GENERATOR)
    steps = count // batch_size
    return tf.reshape(tf.argsort(ranks, stable=True)[: steps * batch_size], (steps, batch_size))


def augmentation_key(seed: int, step: int | tf.Tensor) -> tf.Tensor:
    """Returns the `seed` argument of `augment` for one training batch.

    Args:
        seed: the run's seed.
        step: steps since training began, over all epochs.
    """
    run_and_step = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
    return tf.random.fold_in(run_and_step, _AUGMENTATION, _GENERATOR)


def _check_batch_size(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"`batch_size` must be 1 or more; received {batch_size}.")


def _on_host(array: np.ndarray) -> tf.Tensor:
    """Returns the array as a tensor in host memory, which pipelines read without a copy from the accelerator."""
    with tf.device("CPU:0"):
        return tf.convert_to_tensor(array)


def _with_options(batches: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.deterministic = True
    # An iterator's end can wait until its tuner wakes: 13 to 20 s after trainings of half a minute (TensorFlow 2.21).
    # Without a tuner AUTOTUNE is as many calls as there are threads, and a buffer that grows while batches are late.
    options.autotune.enabled = False
    # `tf.distribute` divides batches among workers, because there are no files to divide.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    return batches.with_options(options)
