"""Parts of variants."""

from typing import Any

from keras import ops

from keras_sparseflow.studies.spec.combined import Part

STRENGTH = 1e-4


def soft_orthogonality(kernel: Any) -> Any:
    """Returns what a kernel adds to the loss: its rows or columns, the fewer of both, are pulled to orthonormal ones.

    Args:
        kernel: of any layer; all its axes but the last are one, of inputs.

    References:
        Bansal, Chen, Wang 2018, "Can We Gain More from Orthogonality Regularizations in Training Deep CNNs?", eq. 1.
        There columns are taken even where they are more than rows, and can't be orthonormal.
    """
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    if matrix.shape[0] < matrix.shape[1]:
        matrix = ops.transpose(matrix)
    products = ops.matmul(ops.transpose(matrix), matrix)
    return STRENGTH * ops.sum(ops.square(products - ops.eye(products.shape[0], dtype=products.dtype)))


ORTH = Part(help="soft orthogonality of kernels, strength 1e-4", penalty=soft_orthogonality)
