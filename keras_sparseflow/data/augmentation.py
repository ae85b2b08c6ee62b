"""Random crops and flips that depend on a seed alone."""

import tensorflow as tf

from keras_sparseflow.data.images import augmentation_pad, check_pad

# Named, because TensorFlow's default generator is another one under XLA.
_GENERATOR = "philox"


def augment(images: tf.Tensor, seed: tf.Tensor, pad: int | None = None, flip: bool = True) -> tf.Tensor:
    """Returns the images padded, cropped back at random and flipped left to right at random.

    Each side is padded with zeros, which in standardised images is the mean colour of the training images.
    (The usual recipe pads the raw images, with black.) Under XLA it compiles and gives the same images.

    Args:
        images: float tensor of shape `(count, height, width, channels)`, a static shape, standardised.
        seed: integer tensor of shape `(2,)`, such as (the run's seed, the step), which alone decides the crops
            and flips.
        pad: pixels on each side, from 0, which leaves only the flips, to the shorter side. None for an eighth of
            that, see `augmentation_pad`.
        flip: whether to flip; the crops are the same either way.

    Returns:
        A tensor of the shape and dtype of `images`.

    Example:
        >>> images = tf.reshape(tf.range(16.0), (1, 4, 4, 1))
        >>> augment(images, seed=(0, 1), pad=1).shape.as_list()
        [1, 4, 4, 1]
        >>> sorted(tf.reshape(augment(images, seed=(0, 1), pad=0), -1).numpy().tolist()) == list(range(16))
        True
    """
    count, height, width, _ = images.shape
    pad = augmentation_pad(height, width) if pad is None else check_pad(pad, height, width)
    offsets, flips = random_crops(seed, count, pad)
    flips = tf.logical_and(flips, flip)
    rows = tf.range(height) + offsets[:, :1]  # (count, height)
    columns = tf.where(flips[:, None], tf.range(width)[::-1], tf.range(width)) + offsets[:, 1:]
    padded = tf.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    cropped = tf.gather(padded, rows, axis=1, batch_dims=1)
    columns = tf.broadcast_to(columns[:, None, :], (count, height, width))
    return tf.gather(cropped, columns, axis=2, batch_dims=2)


def random_crops(seed: tf.Tensor, count: int, pad: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the draws that `augment` makes from `seed`.

    Args:
        seed: integer tensor of shape `(2,)`.
        count: the number of images.
        pad: pixels on each side, 0 or more.

    Returns:
        The row and column at which each padded image is cropped, int32 in [0, 2 * pad] of shape
        `(count, 2)`; and whether the crop is then flipped, boolean of shape `(count,)`.
    """
    if pad < 0:
        raise ValueError(f"`pad` must be 0 or more; received {pad}.")
    # int64, because the same numbers in int32 would split into other seeds.
    crop_seed, flip_seed = tf.unstack(tf.random.split(tf.cast(seed, tf.int64), 2, _GENERATOR))
    offsets = tf.random.stateless_uniform((count, 2), crop_seed, 0, 2 * pad + 1, tf.int32, alg=_GENERATOR)
    flips = tf.random.stateless_uniform((count,), flip_seed, 0, 2, tf.int32, alg=_GENERATOR)
    return offsets, tf.cast(flips, tf.bool)
