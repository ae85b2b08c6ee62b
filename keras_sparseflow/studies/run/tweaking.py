"""ToST's tweaks of a run: ghosts, rescaled initial weights, and the checks of both."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.layers.ghost import ghosts_of
from keras_sparseflow.studies.run.recipe import plain_loss
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.tost.ghost_schedule import GhostSchedule
from keras_sparseflow.training.tost.rescaling import rescale_init
from keras_sparseflow.twins import ghostify, strip_ghosts

Say = Callable[[str], None]
"""A function that shows, in a few words, what happens."""


def check_tweaks(specs: Sequence[RunSpec], data: ImageData) -> None:
    """Refuses tweaks that have no place in their network, or too few images, before anything is trained.

    Args:
        specs: of the runs.
        data: dataset on which they train.

    Raises:
        ValueError: a network has no ReLU or no layer for a ghost, or LRsI wants more images.
    """
    for spec in specs:
        if spec.training.rescaling is not None and 2 * len(data.train_images) < 3 * spec.training.batch_size:
            raise ValueError(
                f"Tweak LRsI draws batches of which half is new: `batch_size` must be at most "
                f"{2 * len(data.train_images) // 3}, for {len(data.train_images)} training images; received "
                f"{spec.training.batch_size}."
            )
    haunted = {(spec.model, spec.training.parts, _ghosts(spec)): spec for spec in specs if _ghosts(spec)}
    for spec in haunted.values():
        architecture = MODELS.get(spec.model.architecture)
        options = {"batch_norm": "BN" in spec.training.parts, "skip_connections": "SC" in spec.training.parts}
        with_ghosts(
            architecture.build(
                data.input_shape, data.num_classes, details=spec.model.details, **spec.model.size, **options
            ),
            spec,
        )


def rescaled(model: SparseModel, spec: RunSpec, data: ImageData, say: Say = lambda _: None) -> None:
    """Rescales the initial weights of a network, if the spec's tweaks do so.

    Args:
        model: with the masks that it begins with.
        spec: of the run.
        data: on whose training images, as they are, the scales are learned.
        say: shows how many steps are done.

    Raises:
        ValueError: a norm or loss is not finite.
    """
    rescaling = spec.training.rescaling
    if rescaling is None:
        return

    def progress(row: Mapping[str, Any]) -> None:
        say(f"rescaling initial weights, {row['iteration'] + 1}/{rescaling.rescale_iterations}")

    rescale_init(
        model,
        (data.train_images, data.train_labels),
        loss=plain_loss(spec),
        iterations=rescaling.rescale_iterations,
        batch_size=spec.training.batch_size,
        seed=spec.seed,
        progress=progress,
    )


def with_ghosts(model: SparseModel, spec: RunSpec) -> SparseModel:
    """Returns the network with the ghosts of the spec's tweaks: the model itself where these have none.

    Raises:
        ValueError: the network has no place for them.
    """
    tweaks, ghosts = _ghosts(spec), spec.training.ghosts
    if ghosts is None:
        return model
    haunted: SparseModel = ghostify(model, swish=ghosts.ghost_activation or False, skips="GSk" in tweaks)
    return haunted


def without_ghosts(model: SparseModel) -> SparseModel:
    """Returns the network in its own architecture; itself where it has no ghosts, or some have not faded."""
    ghosts = ghosts_of(model)
    if not ghosts or any(ghost.is_ghost for ghost in ghosts):
        return model
    plain: SparseModel = strip_ghosts(model)
    return plain


def ghost_callbacks(spec: RunSpec, data: ImageData) -> list[keras.callbacks.Callback]:
    """Returns the callback that lets the ghosts of the spec's network fade; none where there are none, or they stay.

    Args:
        spec: of the run.
        data: gives the steps of an epoch.
    """
    ghosts = spec.training.ghosts
    if ghosts is None or ghosts.ghost_until is None:
        return []
    steps = spec.training.epochs * steps_per_epoch(data, spec.training.batch_size)
    end = round(ghosts.ghost_until * steps) - spec.first_step
    if ghosts.ghost_decay == "abrupt":
        return [GhostSchedule(end_step=max(1, end), alpha="constant", beta=(1.0, 1.0))]
    return [GhostSchedule(end_step=max(1, end), alpha=ghosts.ghost_decay)]


def _ghosts(spec: RunSpec) -> frozenset[str]:
    return spec.training.tweak_names & {"GSk", "GSw"}
