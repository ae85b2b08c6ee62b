"""What the kernels of all networks for images have in common: their ends, their places, whole channels."""

from collections.abc import Sequence
from math import ceil

STEM, CLASSIFIER = "stem", "output"
"""Names of the first convolution, where it stands in no group, and of the last layer."""


def check_image_shape(input_shape: Sequence[int]) -> None:
    """Raises ValueError unless it is `(height, width, channels)`."""
    if len(input_shape) != 3:
        raise ValueError(f"`input_shape` must be (height, width, channels); received {tuple(input_shape)}.")


def positions(input_shape: Sequence[int], reduction: int) -> int:
    """Returns how many places an image has at a fraction of its resolution.

    Args:
        input_shape: of one image, `(height, width, channels)`.
        reduction: the product of all strides up to there; sides are rounded up.

    Example:
        >>> positions((32, 28, 3), reduction=8)
        16
    """
    return ceil(input_shape[0] / reduction) * ceil(input_shape[1] / reduction)


def scaled(channels: int, width: float) -> int:
    """Returns `width` times as many channels.

    Raises:
        ValueError: that is no whole number, or none at all.

    Example:
        >>> scaled(64, 0.25)
        16
    """
    wide = channels * width
    if wide < 1 or wide != int(wide):
        raise ValueError(
            f"`width` must make a whole number of channels, at least 1, of the {channels} of the first layer; "
            f"received {width}."
        )
    return int(wide)


def refuse_skip_connections(network: str, skip_connections: bool) -> None:
    """Raises ValueError where skip connections are asked of a network that has none."""
    if skip_connections:
        raise ValueError(f"{network} has no skip connections (SC); expected a variant without SC, received one with.")
