"""Keras layers whose kernel holds active weights alone."""

from typing import Any

import keras

from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel


@keras.saving.register_keras_serializable("keras_sparseflow")
class SparseDense(SparseKernel, keras.layers.Dense):
    """`keras.layers.Dense` that stores, and multiplies, the active weights of its kernel alone.

    Args:
        *args: arguments of `keras.layers.Dense`.
        density: float in [0, 1], see `SparseKernel`.
        mask_seed: int or None, see `SparseKernel`.
        **kwargs: arguments of `keras.layers.Dense`.

    Raises:
        ValueError: an argument that needs the whole kernel, such as a constraint on the norms of its columns.

    Example:
        >>> layer = SparseDense(10, density=0.05, mask_seed=0)
        >>> layer.build((None, 80))
        >>> tuple(layer.values.shape), tuple(layer.kernel.shape), layer.density
        ((40,), (80, 10), 0.05)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class SparseConv2D(SparseKernel, keras.layers.Conv2D):
    """`keras.layers.Conv2D` of size 1x1 that stores, and multiplies, the active weights of its kernel alone.

    Raises:
        ValueError: another size, several groups, channels that are not last, or see `SparseDense`.

    Example:
        >>> import numpy as np
        >>> layer = SparseConv2D(8, 1, strides=2, density=0.25, mask_seed=0)
        >>> tuple(layer(np.ones((1, 6, 6, 4))).shape), layer.active_count
        ((1, 3, 3, 8), 8)
    """

    @classmethod
    def why_not_sparse(cls, layer: Any) -> str | None:
        """Returns why a layer's kernel cannot be stored by its active weights; None if it can."""
        if tuple(layer.kernel_size) != (1, 1):
            return f"its kernel covers {' x '.join(map(str, layer.kernel_size))} positions, not 1 x 1"
        if layer.groups != 1:
            return f"its channels are in {layer.groups} groups"
        if layer.data_format != "channels_last":
            return "its channels come first"
        return super().why_not_sparse(layer)

    def _product(self, inputs: Any) -> Any:
        return super()._product(inputs[:, :: self.strides[0], :: self.strides[1]])


@keras.saving.register_keras_serializable("keras_sparseflow")
class SparseEinsumDense(SparseKernel, keras.layers.EinsumDense):
    """`keras.layers.EinsumDense` that is a matrix product, and stores and multiplies active weights alone.

    The equation must sum over the last axes of the inputs, which are the first of the kernel, and put the others of
    the kernel last, such as `"btd,dhe->bthe"`.

    Raises:
        ValueError: another equation, or see `SparseDense`.

    Example:
        >>> import numpy as np
        >>> layer = SparseEinsumDense("bte,ef->btf", (None, 6), density=0.5, mask_seed=0)
        >>> tuple(layer(np.ones((2, 3, 4))).shape), layer.active_count
        ((2, 3, 6), 12)
    """

    @classmethod
    def why_not_sparse(cls, layer: Any) -> str | None:
        """Returns why a layer's kernel cannot be stored by its active weights; None if it can."""
        if not _inner_axes(layer.equation):
            return f"{layer.equation!r} is no product with a matrix on the right"
        return super().why_not_sparse(layer)

    def inner_axes(self, kernel_shape: tuple[int, ...]) -> int:
        """Returns how many of the kernel's first axes are summed over; the others are those of the outputs."""
        return _inner_axes(self.equation)

    def input_axes(self) -> int:
        """Returns how many of the inputs' last axes are summed over."""
        return _inner_axes(self.equation)


def _inner_axes(equation: str) -> int:
    """Returns over how many axes a matrix product in einsum's notation sums; 0 if it is none."""
    inputs, _, rest = equation.replace(" ", "").partition(",")
    kernel, _, outputs = rest.partition("->")
    for inner in range(1, len(kernel)):
        summed, outer = kernel[:inner], kernel[inner:]
        free = inputs.removesuffix(summed)
        if inputs == free + summed and outputs == free + outer and not set(summed) & set(outputs):
            return inner
    return 0
