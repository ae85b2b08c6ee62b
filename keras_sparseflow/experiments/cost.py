"""What a study costs: networks, steps, weights and floating-point operations, counted and not measured."""

import dataclasses
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from keras_sparseflow.data import DataSize
from keras_sparseflow.experiments.capacity import match_capacity
from keras_sparseflow.experiments.spec import RunSpec
from keras_sparseflow.flow import measured_epochs

FORWARD = 2
"""Floating-point operations per weight and image of a forward pass: a product and a sum."""

TRAINING = 6
"""Floating-point operations per weight and image of a training step: one forward and twice that backward."""


@dataclass(frozen=True)
class Cost:
    """The cost of training networks, summed over them; only the weights of kernels are counted.

    Args:
        networks: how many.
        steps: gradient steps.
        active_weights: weights that a network uses; both arms of a pair have as many.
        stored_weights: weights that are stored and computed with, inactive ones included.
        flops: floating-point operations with all stored weights: training, evaluation, and probes of flow.
        active_flops: those that active weights alone would need.
    """

    networks: int = 0
    steps: int = 0
    active_weights: int = 0
    stored_weights: int = 0
    flops: int = 0
    active_flops: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))


def cost(specs: Iterable[RunSpec], size: DataSize) -> Cost:
    """Returns what it costs to train networks from their start.

    Padding of networks that train together is not counted: that depends on the executor.

    Args:
        specs: the networks.
        size: of their dataset.

    Raises:
        ValueError: a batch is larger than the training set.

    Example:
        >>> spec = RunSpec(dense_width=308, max_width=3076, hidden_layers=1, epochs=1000, arm="dense")
        >>> cost([spec], DataSize((32, 32, 3), 10, 50_000, 10_000)).active_weights
        949256
    """
    return sum((_cost_of(spec, size) for spec in specs), Cost())


def weights_of(spec: RunSpec, inputs: int, classes: int) -> tuple[int, int]:
    """Returns how many weights of a network's kernels are active, and how many are stored."""
    return _weights(inputs, classes, spec.hidden_layers, spec.dense_width, spec.max_width, spec.arm == "sparse")


def steps_an_epoch(spec: RunSpec, size: DataSize) -> int:
    """Returns the number of full batches in the training images.

    Raises:
        ValueError: not even one batch is full.
    """
    if spec.batch_size > size.train_images:
        raise ValueError(
            f"`batch_size` must be in [1, {size.train_images}], the number of training images; "
            f"received {spec.batch_size}."
        )
    return size.train_images // spec.batch_size


def image_passes(spec: RunSpec, size: DataSize) -> tuple[int, int]:
    """Returns how many images a network is trained or probed on, and how many it is evaluated on, in all epochs."""
    trained = spec.epochs * steps_an_epoch(spec, size) * spec.batch_size
    probes = 0 if spec.flow_data == "batches" else len(measured_epochs(spec.epochs, spec.flow_epochs))
    return trained + probes * size.train_images, spec.epochs * size.test_images


def _cost_of(spec: RunSpec, size: DataSize) -> Cost:
    active, stored = weights_of(spec, size.inputs, size.classes)
    trained, evaluated = image_passes(spec, size)
    per_weight = TRAINING * trained + FORWARD * evaluated
    return Cost(
        networks=1,
        steps=spec.epochs * steps_an_epoch(spec, size),
        active_weights=active,
        stored_weights=stored,
        flops=per_weight * stored,
        active_flops=per_weight * active,
    )


@functools.cache
def _weights(
    inputs: int, classes: int, hidden_layers: int, dense_width: int, max_width: int, sparse: bool
) -> tuple[int, int]:
    kernels = match_capacity(inputs, classes, hidden_layers, dense_width, max_width)
    active = sum(kernel.active for kernel in kernels)
    return active, sum(prod(kernel.sparse_shape) for kernel in kernels) if sparse else active
