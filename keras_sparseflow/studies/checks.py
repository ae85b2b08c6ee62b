"""What is refused before anything is trained: one list of checks."""

from collections.abc import Sequence
from typing import Any

from keras_sparseflow.data import DataSize, ImageData
from keras_sparseflow.studies.executors.options import Options
from keras_sparseflow.studies.spec.fields import load_plugins
from keras_sparseflow.studies.spec.run_spec import RunSpec


def check_specs(specs: Sequence[RunSpec], size: DataSize) -> None:
    """Refuses runs that cannot be trained on a dataset of this size, whatever its images and the devices are.

    Raises:
        ValueError: arguments that an optimizer or activation does not take, a plugin that is broken, or masks that have
            no time to change.
        ImportError: an extra that a run needs is missing.
    """
    from keras_sparseflow.studies.run.mask_changes import check_mask_changes, check_pruning
    from keras_sparseflow.studies.run.recipe import check_arguments

    load_plugins(specs)
    check_arguments(specs)
    check_pruning(specs)
    check_mask_changes(specs, size)


def check_devices(specs: Sequence[RunSpec], options: Options) -> None:
    """Refuses runs that several processes would not compute alike.

    Raises:
        ValueError: rescaled initial weights or diagnostics under the strategy multiworker.
    """
    if options.strategy != "multiworker":
        return
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


def check_images(specs: Sequence[RunSpec], data: ImageData) -> None:
    """Refuses runs that the images are too few for, or tweaks that have no place in their network.

    Raises:
        ValueError: a class has fewer images than a score looks at, a tweak wants more, or has no place in a network.
    """
    from keras_sparseflow.studies.run.masking import check_samples
    from keras_sparseflow.studies.run.tweaking import check_tweaks

    check_samples(specs, data)
    check_tweaks(specs, data)


def check_masks(specs: Sequence[RunSpec], data: ImageData, say: Any) -> None:
    """Refuses scores that leave a kernel without any weight; this takes long for large networks.

    Args:
        specs: of the runs that are left to train.
        data: on which scores are computed.
        say: told of each network that is tried.

    Raises:
        CollapseError: a kernel is left without any active weight.
    """
    from keras_sparseflow.studies.run.network import check_collapse

    check_collapse(specs, data, say)
