"""The list of checks before a training: each looks at the runs that it concerns."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from keras_sparseflow.data import DataSize, ImageData
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.spec.fields import load_plugins
from keras_sparseflow.studies.spec.run_spec import RunSpec

Concerns = Callable[[RunSpec], bool]

_OF_SIZE: tuple[tuple[Concerns, str], ...] = (
    (lambda spec: bool(spec.training.optimizer_options or spec.model.activation_options), "run.recipe:check_arguments"),
    (lambda spec: spec.data.augment_pad is not None, "size.fitting:check_padding"),
    (lambda spec: spec.sparsity.method not in (None, "static"), "size.fitting:check_mask_changes"),
)
"""Checks called with runs and the size of their dataset. All but the first need no TensorFlow."""

_OF_IMAGES: tuple[tuple[Concerns, str], ...] = (
    (lambda spec: spec.sparsity.score_samples is not None, "run.masking:check_samples"),
    (lambda spec: spec.training.ghosts is not None or spec.training.rescaling is not None, "run.tweaking:check_tweaks"),
)
"""Checks called with runs and their images."""

_OF_MASKS: tuple[tuple[Concerns, str], ...] = (
    (
        lambda spec: spec.sparsity.tickets is None and (spec.decides_over_all or spec.sparsity.score == "synflow"),
        "run.network:check_collapse",
    ),
)
"""Checks that compute masks, called with runs, their images, and a function that shows which network is tried."""


def check_specs(specs: Sequence[RunSpec], size: DataSize, options: Options) -> None:
    """Refuses runs that cannot be trained on any dataset of this size.

    Raises:
        ValueError: arguments that an optimizer or activation does not take, a plugin that is broken, masks that have no
            time to change, or what several processes would not compute alike.
        ImportError: an extra that a run needs is missing.
    """
    load_plugins(specs)
    _check(_OF_SIZE, specs, size)
    if options.strategy == "multiworker":
        _check_workers(specs)


def check_images(specs: Sequence[RunSpec], data: ImageData) -> None:
    """Refuses runs that the images are too few for, or tweaks that have no place in their network.

    Raises:
        ValueError: a class has fewer images than a score looks at, a tweak wants more, or has no place in a network.
    """
    _check(_OF_IMAGES, specs, data)


def check_masks(specs: Sequence[RunSpec], data: ImageData, say: Callable[[str], None]) -> None:
    """Refuses scores that a network cannot have, or that leave it a kernel without any weight.

    This takes long for large networks.

    Args:
        specs: of the runs that are left to train.
        data: on which scores are computed.
        say: shows which network is tried.

    Raises:
        CollapseError: a kernel is left without any active weight.
        ValueError: the network cannot have the score.
    """
    _check(_OF_MASKS, specs, data, say)


def _check(checks: Sequence[tuple[Concerns, str]], specs: Sequence[RunSpec], *arguments: Any) -> None:
    for concerns, check in checks:
        concerned = [spec for spec in specs if concerns(spec)]
        if concerned:
            module, _, function = check.partition(":")
            getattr(import_module(f"keras_sparseflow.studies.{module}"), function)(concerned, *arguments)


def _check_workers(specs: Sequence[RunSpec]) -> None:
    """Refuses what several processes would not compute alike."""
    for spec in specs:
        if spec.training.rescaling is not None:
            raise ValueError(
                "Tweak LRsI rescales initial weights in one process: several would come to other last digits; received "
                f"--strategy=multiworker with {spec.run_id}. Use none or mirrored."
            )
        if spec.measurement.diagnostics:
            raise ValueError(
                f"Diagnostics are measured in one process; received --strategy=multiworker with {spec.run_id}, which "
                f"names {', '.join(spec.measurement.diagnostics)}. Use none or mirrored."
            )
