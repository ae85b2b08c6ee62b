"""The layers of networks for images in NumPy."""

import keras
import numpy as np

EPSILON = 1e-5


def value(model, layer, name="kernel"):
    return keras.ops.convert_to_numpy(getattr(model.get_layer(layer), name))


def randomize(model):
    """Gives BatchNorm and biases values that show."""
    rng = np.random.default_rng(1)
    for variable in model.variables:
        if variable.name in ("gamma", "beta", "moving_mean", "moving_variance", "bias"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))


def windows(x, size, stride):
    """Yields the part of the images under each entry of a kernel, and its place in it; the odd padding comes last."""
    sides = [-(-side // stride) for side in x.shape[1:3]]
    padding = [max((side - 1) * stride + size - given, 0) for side, given in zip(sides, x.shape[1:3], strict=True)]
    x = np.pad(x, [(0, 0), *[(total // 2, total - total // 2) for total in padding], (0, 0)])
    for row in range(size):
        for column in range(size):
            shifted = x[:, row : row + stride * sides[0] : stride, column : column + stride * sides[1] : stride]
            yield shifted[:, : sides[0], : sides[1]], (row, column)


def convolve(x, kernel, stride=1):
    """A convolution as a sum over the entries of its kernel."""
    return sum(window @ kernel[place] for window, place in windows(x, len(kernel), stride))


def convolve_depthwise(x, kernel, stride=1):
    return sum(window * kernel[place][:, 0] for window, place in windows(x, len(kernel), stride))


def norm(model, name, x, training):
    gamma, beta, mean, variance = (
        value(model, name, part) for part in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    if training:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return gamma * (x - mean) / np.sqrt(variance + EPSILON) + beta


def relu(x):
    return np.maximum(x, 0)


def largest_of_four(x):
    """The maximum of each 2x2 pixels; an odd last row or column stands alone."""
    rows, columns = range(0, x.shape[1], 2), range(0, x.shape[2], 2)
    return np.stack([np.stack([x[:, r : r + 2, c : c + 2].max((1, 2)) for c in columns], 1) for r in rows], 1)


def classify(model, x):
    return x.mean((1, 2)) @ value(model, "output") + value(model, "output", "bias")
