"""The cost of a study: networks, steps, weights and floating-point operations, counted and not measured."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keras_sparseflow.data import DataSize
from keras_sparseflow.flow import measured_epochs
from keras_sparseflow.studies.size.kernel_counts import counted_kernels
from keras_sparseflow.studies.spec.run_spec import RunSpec

FORWARD = 2
"""Floating-point operations of a forward pass for each product of a weight and a value: that and a sum."""

TRAINING = 6
"""Those of a training step: one forward and twice that backward."""

SECOND_ORDER = 2
"""Gradients that a derivative of a gradient takes."""


@dataclass(frozen=True)
class Cost:
    """The cost of training networks, summed over them; only the weights of kernels are counted.

    Args:
        networks: number of networks.
        steps: gradient steps.
        active_weights: weights that a network uses; both arms of a pair have as many.
        stored_weights: weights that are stored and computed with, inactive ones included.
        flops: floating-point operations with all stored weights: training, evaluation, gradient flow at the end of
            epochs, rescaling of initial weights, and diagnostics, of which power iteration may end sooner.
        active_flops: operations that active weights alone would need.
    """

    networks: int = 0
    steps: int = 0
    active_weights: int = 0
    stored_weights: int = 0
    flops: int = 0
    active_flops: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)))

    def __mul__(self, times: int) -> "Cost":
        return Cost(*(amount * times for amount in dataclasses.astuple(self)))


def cost(specs: Iterable[RunSpec], size: DataSize) -> Cost:
    """Returns what it costs to train networks from their start.

    Padding of networks that train together is not counted: that depends on the executor.

    Args:
        specs: the networks.
        size: of their dataset.

    Raises:
        ValueError: a batch is larger than the training set.

    Example:
        >>> from keras_sparseflow.studies.spec.run_spec import RunSpec
        >>> spec = RunSpec.of(width=308, hidden_layers=1, epochs=1000)
        >>> cost([spec], DataSize((32, 32, 3), 10, 50_000, 10_000)).active_weights
        949256
    """
    return sum((_cost_of(spec, size) for spec in specs), Cost())


def whole_flops(spec: RunSpec, size: DataSize) -> int:
    """Returns the floating-point operations behind a network, those of a lottery ticket's earlier rounds included.

    Args:
        spec: the network.
        size: of its dataset.
    """
    before = spec.round_before
    return cost([spec], size).flops + (0 if before is None else whole_flops(before, size))


def steps_an_epoch(spec: RunSpec, size: DataSize) -> int:
    """Returns the number of full batches in the training images.

    Raises:
        ValueError: not even one batch is full.
    """
    if spec.training.batch_size > size.train_images:
        raise ValueError(
            f"`batch_size` must be in [1, {size.train_images}], the number of training images; "
            f"received {spec.training.batch_size}."
        )
    return size.train_images // spec.training.batch_size


def image_passes(spec: RunSpec, size: DataSize) -> tuple[int, int, int]:
    """Returns how many images a network is trained on, its flow is measured on at the end, and it is evaluated on.

    The numbers are of all epochs.
    """
    steps = steps_an_epoch(spec, size)
    trained = (spec.training.epochs * steps - spec.first_step) * spec.training.batch_size
    measured = _epochs_among(measured_epochs(spec.training.epochs, spec.measurement.flow_epochs), spec, size)
    flow = spec.measurement.flow
    ends = len(measured) if flow is not None and "end" in flow.flow_readings else 0
    epochs = spec.training.epochs - spec.first_step // steps
    return trained, ends * size.train_images, epochs * (size.test_images + size.validation_images)


def _cost_of(spec: RunSpec, size: DataSize) -> Cost:
    kernels = counted_kernels(spec, size)
    products = sum(kernel.size * kernel.positions for kernel in kernels)
    active = sum(kernel.active * kernel.positions for kernel in kernels)
    dense = _dense_share(spec)
    trained, at_ends, evaluated = image_passes(spec, size)
    gradients, forward = _besides(spec, size)
    per_product = TRAINING * (trained + at_ends + gradients) + FORWARD * (evaluated + forward)
    return Cost(
        networks=1,
        steps=spec.training.epochs * steps_an_epoch(spec, size) - spec.first_step,
        active_weights=sum(kernel.active for kernel in kernels),
        stored_weights=sum(kernel.size for kernel in kernels),
        flops=per_product * products,
        active_flops=round(per_product * (dense * products + (1 - dense) * active)),
    )


def _besides(spec: RunSpec, size: DataSize) -> tuple[int, int]:
    """Returns on how many images gradients are taken besides those of the training, and how many are evaluated."""
    wanted, rescaling = spec.measurement, spec.training.rescaling
    chosen, points = wanted.diagnostics, wanted.landscape_steps or 0
    training, test = (min(wanted.diagnostic_samples or 0, images) for images in (size.train_images, size.test_images))
    epochs = len(_epochs_among(measured_epochs(spec.training.epochs, wanted.diagnostic_epochs or 0), spec, size))
    eigenvalues = epochs * ("top_eigenvalue" in chosen) + ("loss_along" in chosen)
    losses = points * ("loss_along" in chosen) + points**2 * ("loss_surface" in chosen)
    products = SECOND_ORDER * (wanted.eigenvalue_iterations or 0) * eigenvalues
    rescaled = 0
    if rescaling is not None:
        rescaled = (1 + SECOND_ORDER) * rescaling.rescale_iterations * spec.training.batch_size
    looked_at = epochs * training * ("activation_sparsity" in chosen)
    looked_at += epochs * test * (wanted.near_zero is not None)
    return rescaled + products * training, looked_at + losses * test


def _epochs_among(measured: Sequence[int], spec: RunSpec, size: DataSize) -> set[int]:
    """Returns those of measured epochs that the run trains: one that begins later leaves out the first."""
    return set(measured).intersection(range(spec.first_step // steps_an_epoch(spec, size), spec.training.epochs))


def _dense_share(spec: RunSpec) -> float:
    """Returns the share of training in which a network is dense.

    While a cubic schedule prunes it, a quarter of what goes is there on average.
    """
    pruning = spec.sparsity.pruning
    return 0 if pruning is None else pruning.prune_from + (pruning.prune_until - pruning.prune_from) / 4


_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def short(number: float) -> str:
    """Returns a number with three digits and a prefix of a power of thousand.

    Example:
        >>> short(147_420_000), short(630)
        ('147 M', '630')
    """
    power = 0
    while round(number, 2) >= 999.5 and power < len(_PREFIXES) - 1:
        number, power = number / 1000, power + 1
    return f"{number:.3g} {_PREFIXES[power]}".rstrip()


def counted(number: int, noun: str) -> str:
    """Returns a number with its noun, which takes an s unless it is one.

    Args:
        number: count of the things.
        noun: noun in the singular.

    Example:
        >>> counted(1, "network"), counted(3, "network")
        ('1 network', '3 networks')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def cost_line(cost: Cost) -> str:
    """Returns a cost in a sentence."""
    return (
        f"{counted(cost.networks, 'network')}, {short(cost.steps)} gradient steps; {short(cost.active_weights)} active "
        f"of {short(cost.stored_weights)} stored weights; {short(cost.flops)}FLOP, of which active weights alone "
        f"would need {short(cost.active_flops)}FLOP."
    )
