"""Down-sampling by area: each new pixel is the mean of the old pixels that it covers."""

import numpy as np

from keras_sparseflow.checks import check_number

Shape = tuple[int | None, int | None, int]


def target_shape(image_shape: Shape, image_size: int | None) -> Shape:
    """Returns the shape that images have after down-sampling.

    Args:
        image_shape: `(height, width, channels)`; height and width are None where images vary.
        image_size: the new height and width, or None for no change.

    Raises:
        ValueError: `image_size` is not positive, or would enlarge the images.
    """
    if image_size is None:
        return image_shape
    height, width, channels = image_shape
    check_number("image_size", image_size, whole=True, minimum=1)
    if height is not None and width is not None and image_size > min(height, width):
        raise too_large(image_size, height, width)
    return image_size, image_size, channels


def too_large(image_size: int, height: int, width: int) -> ValueError:
    """Returns the error for an `image_size` that would enlarge an image."""
    return ValueError(
        f"`image_size` must be in [1, {min(height, width)}], since images of {height}x{width} are only ever "
        f"made smaller; received {image_size}."
    )


def area_resize(images: np.ndarray, size: int) -> np.ndarray:
    """Returns the images down-sampled to `size` x `size`, on their own scale of values.

    Each side is scaled by itself, so images that are not square change their proportions. The result equals
    `tf.image.resize(images, (size, size), "area")`, but the whole batch takes only two matrix products.

    Args:
        images: numbers of shape `(count, height, width, channels)`.
        size: the new height and width, at most the old ones.

    Returns:
        float32 of shape `(count, size, size, channels)`.

    Example:
        >>> area_resize(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, :, :, 0].tolist()
        [[2.5, 4.5], [10.5, 12.5]]
    """
    _, height, width, _ = images.shape
    images = images.astype(np.float32, copy=False)
    if (height, width) == (size, size):
        return images
    rows = np.tensordot(images, _area_weights(height, size), axes=(1, 1))  # (count, width, channels, size)
    both = np.tensordot(rows, _area_weights(width, size), axes=(1, 1))  # (count, channels, size, size)
    return both.transpose(0, 2, 3, 1)


def _area_weights(old: int, new: int) -> np.ndarray:
    """Returns the `(new, old)` matrix whose row i averages the old pixels under new pixel i."""
    edges = np.arange(new + 1) * (old / new)
    overlap = np.minimum(edges[1:, None], np.arange(1, old + 1)) - np.maximum(edges[:-1, None], np.arange(old))
    return (np.clip(overlap, 0, None) * (new / old)).astype(np.float32)
