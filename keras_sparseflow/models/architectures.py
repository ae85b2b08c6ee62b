"""Architectures that a study can name: how a network is built, and its kernels, counted without building it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import keras

from keras_sparseflow.models.wide_resnet import wide_resnet
from keras_sparseflow.models.wide_resnet_kernels import (
    CLASSIFIER,
    SMALLEST_DEPTH,
    STEM,
    kernel_positions,
    kernel_shapes,
)


@dataclass(frozen=True)
class KernelUse:
    """One kernel of a network.

    Args:
        name: of its layer.
        shape: of the kernel.
        positions: at how many places of an image it is applied.

    Example:
        >>> KernelUse("stem", (3, 3, 3, 16), positions=1024).size
        432
    """

    name: str
    shape: tuple[int, ...]
    positions: int

    @property
    def size(self) -> int:
        """Its weights, inactive ones included."""
        return prod(self.shape)


@dataclass(frozen=True)
class Architecture:
    """A family of networks.

    Args:
        build: called as `wide_resnet` is, with every one of its arguments by name but the first two.
        kernels: called with `input_shape, classes, depth, width` and by name `skip_connections`, as for `build`;
            returns the network's kernels, or raises the ValueError that `build` would.
        ends: names of the kernels that `dense_ends` leaves out.
        smallest_depth: the least depth that there is.

    Example:
        >>> kernels = WIDE_RESNET.kernels((32, 32, 3), 10, 28, 10, skip_connections=True)
        >>> sum(kernel.size for kernel in kernels)  # its published 36.5 million are these, biases and BatchNorm
        36461232
    """

    build: Callable[..., keras.Model]
    kernels: Callable[..., list[KernelUse]]
    ends: tuple[str, ...]
    smallest_depth: int


def _wide_resnet_kernels(
    input_shape: Sequence[int], classes: int, depth: int, width: int, *, skip_connections: bool
) -> list[KernelUse]:
    shapes = kernel_shapes(input_shape, classes, depth, width, skip_connections=skip_connections)
    positions = kernel_positions(input_shape, shapes)
    return [KernelUse(name, shape, positions[name]) for name, shape in shapes.items()]


WIDE_RESNET = Architecture(wide_resnet, _wide_resnet_kernels, (STEM, CLASSIFIER), SMALLEST_DEPTH)
