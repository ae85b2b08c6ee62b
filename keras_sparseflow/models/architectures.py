"""Architectures that a study can name: how a network is built, and its kernels, counted without building it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import keras

from keras_sparseflow.layers.kernels import active_count
from keras_sparseflow.models.wide_resnet import wide_resnet
from keras_sparseflow.models.wide_resnet_kernels import (
    SMALLEST_DEPTH,
    kernel_densities,
    kernel_positions,
    kernel_shapes,
)


@dataclass(frozen=True)
class KernelUse:
    """One kernel of a network.

    Args:
        name: of its layer.
        shape: of the kernel.
        active: how many of its weights are.
        positions: at how many places of an image it is applied.

    Example:
        >>> KernelUse("stem", (3, 3, 3, 16), active=43, positions=1024).size
        432
    """

    name: str
    shape: tuple[int, ...]
    active: int
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
        kernels: called with `input_shape, classes, depth, width` and by name `density`, `dense_ends` and
            `skip_connections`, all as for `build`; returns the network's kernels in order, or raises the
            ValueError that `build` would.
        smallest_depth: the least depth that there is.

    Example:
        >>> kernels = WIDE_RESNET.kernels((32, 32, 3), 10, 28, 10, density=0.1, dense_ends=False, skip_connections=True)
        >>> sum(kernel.size for kernel in kernels)  # its published 36.5 million are these, biases and BatchNorm
        36461232
    """

    build: Callable[..., keras.Model]
    kernels: Callable[..., list[KernelUse]]
    smallest_depth: int


def _wide_resnet_kernels(
    input_shape: Sequence[int],
    classes: int,
    depth: int,
    width: int,
    *,
    density: float,
    dense_ends: bool,
    skip_connections: bool,
) -> list[KernelUse]:
    shapes = kernel_shapes(input_shape, classes, depth, width, skip_connections=skip_connections)
    positions = kernel_positions(input_shape, shapes)
    densities = kernel_densities(density, shapes, dense_ends)
    return [
        KernelUse(name, shape, active_count(densities.get(name, 1.0), prod(shape)), positions[name])
        for name, shape in shapes.items()
    ]


WIDE_RESNET = Architecture(wide_resnet, _wide_resnet_kernels, smallest_depth=SMALLEST_DEPTH)
