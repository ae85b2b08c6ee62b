"""Products with a sparse matrix, compiled by Numba for this machine, on as many threads as TensorFlow's operations.

Every row of a result is computed in one thread and in one order, so results have the same bits for any number of
threads. The inner loops run over examples, which lie next to each other: activations are feature-major, in blocks of
shape `(features, examples)` that fit a core's cache. They are transposed on the way in and out. Four active
weights are taken at once, so that sums are read and written a quarter as often.
"""

import functools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numba import njit

from keras_sparseflow.layers.sparse.places import Places

LANES = 128
"""Examples that are computed together at most: 512 bytes of each feature."""

TILE = 16
"""Features that are transposed together: a line of a cache holds as many of an example."""

_PIECES = 4
"""Pieces of work for each thread, so that none waits long for another that was interrupted."""

_LITTLE = 2_000_000
"""Multiplications of weights below which one thread has finished before a second one has woken.

A core does about 8 of them in a nanosecond; another thread wakes in about a tenth of a millisecond.
"""

_MOVE = 5
"""Multiplications in the time of which one entry is transposed."""

# Sums may be vectorised, which changes their order; NaN and infinity stay what they are. The kernels release Python's
# lock and are called from threads of our own. Those of Numba's `prange` either spin after each call, on the cores that
# TensorFlow's threads want next, or end the process when two of them are called at once.
_compiled: Any = njit(nogil=True, fastmath={"contract", "reassoc", "nsz"}, cache=True)


def feature_major(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns an array of shape `(examples, features)` in blocks of shape `(features, lanes)`, and sums over examples.

    The last lanes of the last block are zeros where the examples do not fill it.
    """
    examples, features = array.shape
    blocks = max(1, -(-examples // LANES))
    result, sums = _empty(blocks, features, -(-examples // blocks)), _empty(features)
    if examples % blocks:
        result[-1] = 0
    _in_tiles(features, _MOVE * array.size, _transpose, array, result, sums)
    return result, sums


def _empty(*shape: int) -> np.ndarray:
    """Returns an array that TensorFlow takes as it is; one that does not begin with a line of the cache it copies."""
    size = math.prod(shape)
    memory = np.empty(size + 15, np.float32)
    start = -memory.ctypes.data % 64 // 4
    return memory[start : start + size].reshape(shape)


def forward(values: np.ndarray, bias: np.ndarray, at: Places, x: np.ndarray, examples: int) -> np.ndarray:
    """Returns the outputs, of shape `(examples, units)`, of feature-major inputs."""
    y = _empty(examples, at.units)
    work = values.size * examples + _MOVE * y.size
    _in_tiles(at.units, work, _forward, values, bias, at.unit_starts, at.rows, at.order, x, y)
    return y


def backward(values: np.ndarray, at: Places, x: np.ndarray, dy: np.ndarray, examples: int) -> tuple[Any, Any]:
    """Returns the gradients of inputs, of shape `(examples, inputs)`, and of values, from feature-major arrays."""
    dx, dv = _empty(examples, at.inputs), _empty(values.size)
    dv.fill(0)
    work = 2 * values.size * examples + _MOVE * dx.size
    _in_tiles(at.inputs, work, _backward, values, at.starts, at.columns, x, dy, dx, dv)
    return dx, dv


def _in_tiles(rows: int, work: int, kernel: Any, *arguments: Any) -> None:
    """Computes a result of so many rows, a few tiles at a time in any thread that is free.

    Args:
        rows: of the result.
        work: how many multiplications the whole takes.
        kernel: computes the rows from one to another.
        *arguments: of the kernel, after those rows.
    """
    if work < _LITTLE:
        kernel(0, rows, *arguments)
        return
    threads = _threads()
    height = max(1, -(-rows // (_PIECES * threads * TILE))) * TILE
    pieces = iter(range(0, rows, height))

    def compute() -> None:
        for first in pieces:
            kernel(first, min(rows, first + height), *arguments)

    others = [_pool().submit(compute) for _ in range(threads - 1)]
    compute()
    for other in others:
        other.result()


@functools.cache
def _threads() -> int:
    import tensorflow as tf

    chosen = tf.config.threading.get_intra_op_parallelism_threads() or os.environ.get("TF_NUM_INTRAOP_THREADS")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(chosen or cores)


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_threads(), thread_name_prefix="sparse_kernels")


@_compiled
def _transpose(first: Any, last: Any, array: Any, result: Any, sums: Any) -> None:
    lanes = result.shape[2]
    for block in range(result.shape[0]):
        ab, rb = array[block * lanes : (block + 1) * lanes], result[block]
        for feature in range(first, last):
            row, total = rb[feature], np.float32(0)
            for lane in range(ab.shape[0]):
                row[lane] = ab[lane, feature]
            for lane in range(lanes):
                total += row[lane]
            sums[feature] = total if block == 0 else sums[feature] + total


# Indices that are sums may be negative for all that Numba knows, and loops over them are not vectorised. So blocks of
# examples have an axis of their own, and rows are taken out of arrays before the loops over lanes.
@_compiled
def _forward(first: Any, last: Any, values: Any, bias: Any, starts: Any, rows: Any, order: Any, x: Any, y: Any) -> None:
    """Writes the columns of `y` from `first` to `last`: of each unit its bias and its weights' sum, four at a time."""
    lanes = x.shape[2]
    sums = np.empty((TILE, lanes), np.float32)
    for top in range(first, last, TILE):
        height = min(last - top, TILE)
        for block in range(x.shape[0]):
            xb = x[block]
            for row in range(height):
                acc, b = sums[row], bias[top + row]
                for lane in range(lanes):
                    acc[lane] = b
                k, end = starts[top + row], starts[top + row + 1]
                while k + 4 <= end:
                    v0, v1, v2, v3 = values[order[k]], values[order[k + 1]], values[order[k + 2]], values[order[k + 3]]
                    x0, x1, x2, x3 = xb[rows[k]], xb[rows[k + 1]], xb[rows[k + 2]], xb[rows[k + 3]]
                    for lane in range(lanes):
                        acc[lane] += v0 * x0[lane] + v1 * x1[lane] + v2 * x2[lane] + v3 * x3[lane]
                    k += 4
                while k < end:
                    v0, x0 = values[order[k]], xb[rows[k]]
                    for lane in range(lanes):
                        acc[lane] += v0 * x0[lane]
                    k += 1
            for lane in range(min(lanes, y.shape[0] - block * lanes)):
                for row in range(height):
                    y[block * lanes + lane, top + row] = sums[row, lane]


@_compiled
def _backward(first: Any, last: Any, values: Any, starts: Any, columns: Any, x: Any, dy: Any, dx: Any, dv: Any) -> None:
    """Writes the columns of `dx` from `first` to `last`, and adds to the gradients of these inputs' weights."""
    lanes = x.shape[2]
    sums = np.empty((TILE, lanes), np.float32)
    for top in range(first, last, TILE):
        height = min(last - top, TILE)
        for block in range(x.shape[0]):
            xb, db = x[block], dy[block]
            for row in range(height):
                k, end = starts[top + row], starts[top + row + 1]
                acc, own = sums[row], xb[top + row]
                for lane in range(lanes):
                    acc[lane] = 0
                while k + 4 <= end:
                    v0, v1, v2, v3 = values[k], values[k + 1], values[k + 2], values[k + 3]
                    d0, d1, d2, d3 = db[columns[k]], db[columns[k + 1]], db[columns[k + 2]], db[columns[k + 3]]
                    s0, s1, s2, s3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
                    for lane in range(lanes):
                        g0, g1, g2, g3, a = d0[lane], d1[lane], d2[lane], d3[lane], own[lane]
                        acc[lane] += v0 * g0 + v1 * g1 + v2 * g2 + v3 * g3
                        s0 += g0 * a
                        s1 += g1 * a
                        s2 += g2 * a
                        s3 += g3 * a
                    dv[k] += s0
                    dv[k + 1] += s1
                    dv[k + 2] += s2
                    dv[k + 3] += s3
                    k += 4
                while k < end:
                    v0, d0, s0 = values[k], db[columns[k]], np.float32(0)
                    for lane in range(lanes):
                        acc[lane] += v0 * d0[lane]
                        s0 += d0[lane] * own[lane]
                    dv[k] += s0
                    k += 1
            for lane in range(min(lanes, dx.shape[0] - block * lanes)):
                for row in range(height):
                    dx[block * lanes + lane, top + row] = sums[row, lane]
