"""Pictures for TensorBoard."""

import numpy as np
import tensorflow as tf
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.plugins.image.metadata import create_summary_metadata

_SIDE = 320
"""Approximate number of pixels along the shorter side."""


def picture(tag: str, values: np.ndarray) -> Summary:
    """Returns a summary that shows a table of numbers as a picture: the brighter a square, the higher the number.

    Brightness follows the logarithm if the finite numbers are positive and span more than a factor of ten. Numbers
    that are not finite are white.

    Args:
        tag: tag of the picture.
        values: shape `(rows, columns)`; the first row is at the bottom.
    """
    shades = _shades(np.asarray(values, dtype=float))[::-1]
    scale = max(1, _SIDE // min(shades.shape))
    pixels = np.kron(shades, np.ones((scale, scale), np.uint8))[..., None]
    height, width = pixels.shape[:2]
    summary = Summary()
    item = summary.value.add(tag=tag, metadata=create_summary_metadata(display_name=None, description=None))
    item.tensor.dtype = DT_STRING
    item.tensor.tensor_shape.dim.add(size=3)
    encoded = tf.io.encode_png(pixels).numpy()
    item.tensor.string_val.extend([str(width).encode(), str(height).encode(), encoded])
    return summary


def _shades(values: np.ndarray) -> np.ndarray:
    """Returns numbers in [0, 255], the highest finite value 255."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(values.shape, 255, np.uint8)
    low, high = values[finite].min(), values[finite].max()
    if low > 0 and high > 10 * low:
        values, low, high = np.log(np.where(finite, values, high)), np.log(low), np.log(high)
    shares = (np.where(finite, values, high) - low) / ((high - low) or 1)
    return np.round(255 * shares).astype(np.uint8)
