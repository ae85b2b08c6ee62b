"""Seeded choices among labelled images: a stratified split and a class-balanced subset.

The random order comes from the raw output of PCG64, which NumPy promises never to change (it makes no such
promise for `Generator.permutation`): the same seed means the same images on every version.
"""

import numpy as np

from keras_sparseflow.checks import check_seed


def stratified_split(labels: np.ndarray, test_fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of a training and of a test part, each with every class in the same proportion.

    Args:
        labels: integers of shape `(count,)`.
        test_fraction: float in [0, 1]: of each class, the rounded share that goes to the test part.
        seed: non-negative integer.

    Returns:
        The training and the test indices, each sorted.
    """
    test = []
    for order in _shuffled_classes(labels, seed):
        test.append(order[: round(test_fraction * len(order))])
    test_indices = np.sort(np.concatenate(test))
    return np.setdiff1d(np.arange(len(labels)), test_indices), test_indices


def balanced_subset(labels: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Returns the indices of `size` images, the classes as equal in number as they can be.

    The numbers of two classes differ by one at most; a class with too few images gives all of them, and the
    others share the rest. With one seed, a smaller subset is part of every larger one.

    Args:
        labels: integers of shape `(count,)`.
        size: the exact number of indices, in [0, count].
        seed: non-negative integer; the choice depends on nothing else.

    Returns:
        Sorted indices of shape `(size,)`.

    Example:
        >>> labels = np.array([0, 0, 0, 0, 0, 1, 2, 2, 2])
        >>> np.bincount(labels[balanced_subset(labels, 6, seed=0)]).tolist() in ([3, 1, 2], [2, 1, 3])
        True
    """
    if not 0 <= size <= len(labels):
        raise ValueError(f"`size` must be in [0, {len(labels)}]; received {size}.")
    orders = _shuffled_classes(labels, seed)
    taken = np.zeros(len(orders), int)
    # Deal one image to each class in turn, in an order that is itself random, until `size` are dealt.
    turns = _permutation(np.random.PCG64([seed, 1]), len(orders))
    available = np.array([len(order) for order in orders])
    while (left := size - taken.sum()) > 0:
        open_classes = turns[taken[turns] < available[turns]]
        rounds = min(left // len(open_classes), (available - taken)[open_classes].min())
        if rounds:
            taken[open_classes] += rounds
        else:
            taken[open_classes[:left]] += 1
    return np.sort(np.concatenate([order[:count] for order, count in zip(orders, taken, strict=True)]))


def _shuffled_classes(labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Returns for each class that occurs the indices of its images, in random order."""
    bits = np.random.PCG64(check_seed(seed))
    order = _permutation(bits, len(labels))
    return [order[labels[order] == label] for label in np.unique(labels)]


def _permutation(bits: np.random.PCG64, count: int) -> np.ndarray:
    return np.argsort(bits.random_raw(count), kind="stable")
