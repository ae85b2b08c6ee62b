"""Architectures that a study can name: how a network is built, and its kernels, counted without building it."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras

from keras_sparseflow.layers.mask.arrays import active_count
from keras_sparseflow.models.densities import kernel_densities
from keras_sparseflow.models.kernels import CLASSIFIER, STEM
from keras_sparseflow.models.mlp import kernel_names, mlp
from keras_sparseflow.models.wide_resnet import wide_resnet
from keras_sparseflow.models.wide_resnet_kernels import (
    SMALLEST_DEPTH,
    kernel_positions,
    kernel_shapes,
)


@dataclass(frozen=True)
class KernelUse:
    """One kernel of a network that need not be built; see `layers.Kernel` for one of a model.

    Args:
        name: the path that it has in the built network.
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
        small_depth: a deeper network takes about as long for an operation as one of this depth.
        small_width: a wider network takes about as long for an operation as one of this width.

    Example:
        >>> kernels = WIDE_RESNET.kernels((32, 32, 3), 10, 28, 10, skip_connections=True)
        >>> sum(kernel.size for kernel in kernels)  # its published 36.5 million are these, biases and BatchNorm
        36461232
    """

    build: Callable[..., keras.Model]
    kernels: Callable[..., list[KernelUse]]
    ends: tuple[str, ...]
    small_depth: int
    small_width: int = 4


def _wide_resnet_kernels(
    input_shape: Sequence[int], classes: int, depth: int, width: int, *, skip_connections: bool
) -> list[KernelUse]:
    shapes = kernel_shapes(input_shape, classes, depth, width, skip_connections=skip_connections)
    positions = kernel_positions(input_shape, shapes)
    return [KernelUse(name, shape, positions[name]) for name, shape in shapes.items()]


WIDE_RESNET = Architecture(wide_resnet, _wide_resnet_kernels, (STEM, CLASSIFIER), small_depth=SMALLEST_DEPTH)
"""Wide residual network of three groups of blocks, for small images."""


def _mlp_kernels(
    input_shape: Sequence[int], classes: int, depth: int, width: int, *, skip_connections: bool
) -> list[KernelUse]:
    if depth < 2:
        raise ValueError(
            f"`depth` must be at least 2 for a multilayer perceptron, one hidden layer and the output's; received "
            f"{depth}."
        )
    if width < 1:
        raise ValueError(f"`width` must be at least 1; received {width}.")
    if skip_connections and depth < _SKIP_DEPTH:
        raise ValueError(
            f"`depth` must be at least {_SKIP_DEPTH} for a multilayer perceptron with skip connections (SC), which "
            f"span two hidden layers from the first on; received {depth}."
        )
    widths = [prod(input_shape), *[width] * (depth - 1), classes]
    shapes = zip(kernel_names(depth - 1), itertools.pairwise(widths), strict=True)
    return [KernelUse(name, shape, positions=1) for name, shape in shapes]


def _build_mlp(
    input_shape: Sequence[int],
    classes: int,
    depth: int,
    width: int,
    *,
    density: float | Mapping[str, float] | None = None,
    dense_ends: bool = False,
    skip_connections: bool = False,
    **options: Any,
) -> keras.Model:
    """Returns a multilayer perceptron of `depth` kernels, `width` units in each hidden layer; see `Architecture`."""
    kernels = _mlp_kernels(input_shape, classes, depth, width, skip_connections=skip_connections)
    shapes = {kernel.name: kernel.shape for kernel in kernels}
    densities = kernel_densities(density, shapes, MLP.ends if dense_ends else ())
    active = [active_count(densities[k.name], k.size) if k.name in densities else None for k in kernels]
    hidden_widths = [width] * (depth - 1)
    return mlp(input_shape, classes, hidden_widths, active=active, skip_connections=skip_connections, **options)


_SKIP_DEPTH = 4
"""Three hidden layers and the output's: the least that a connection over two of them needs."""

MLP = Architecture(_build_mlp, _mlp_kernels, ("hidden_1", "output"), small_depth=5, small_width=1000)
"""Multilayer perceptron whose hidden layers are equally wide."""
