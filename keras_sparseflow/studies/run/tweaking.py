"""The tweaks of ToST that a spec names, on its network and in its training."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.layers.ghost import ghosts_of
from keras_sparseflow.studies.run.recipe import plain_loss
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.tost.ghost_schedule import GhostSchedule
from keras_sparseflow.training.tost.rescaling import rescale_init
from keras_sparseflow.twins import ghostify, strip_ghosts

Say = Callable[[str], None]
"""Is told in a few words what goes on."""


def check_tweaks(specs: Iterable[RunSpec], data: ImageData) -> None:
    """Refuses tweaks that have no place in their network, or too few images, before anything is trained.

    Args:
        specs: of the runs.
        data: that they train on.

    Raises:
        ValueError: a network has no ReLU or no layer for a ghost, or LRsI wants more images.
    """
    tweaked = {spec for spec in specs if isinstance(spec, RunSpec) and spec.training.tweaks != "none"}
    for spec in tweaked:
        if spec.rescales and 2 * len(data.train_images) < 3 * spec.training.batch_size:
            raise ValueError(
                f"Tweak LRsI draws batches of which half is new: `batch_size` must be at most "
                f"{2 * len(data.train_images) // 3}, for {len(data.train_images)} training images; received "
                f"{spec.training.batch_size}."
            )
    for spec in {_graph(spec): spec for spec in tweaked}.values():
        architecture = MODELS.get(spec.model.architecture)
        options = {"batch_norm": "BN" in spec.training.parts, "skip_connections": "SC" in spec.training.parts}
        size = {"depth": spec.model.depth, "width": spec.model.width}
        with_ghosts(architecture.build(data.input_shape, data.num_classes, **size, **options), spec)


def rescaled(model: SparseModel, spec: RunSpec, data: ImageData, say: Say = lambda _: None) -> None:
    """Rescales the initial weights of a network, if the spec's tweaks do so.

    Args:
        model: with the masks that it begins with.
        spec: of the run.
        data: on whose training images, as they are, the scales are learned.
        say: told now and then how far it is.

    Raises:
        ValueError: a norm or loss is not finite.
    """
    if not isinstance(spec, RunSpec) or not spec.rescales:
        return

    def progress(row: Mapping[str, Any]) -> None:
        say(f"rescaling initial weights, {row['iteration'] + 1}/{spec.training.rescaling.rescale_iterations}")

    rescale_init(
        model,
        (data.train_images, data.train_labels),
        loss=plain_loss(spec),
        iterations=spec.training.rescaling.rescale_iterations,
        batch_size=spec.training.batch_size,
        seed=spec.seed,
        progress=progress,
    )


def with_ghosts(model: SparseModel, spec: RunSpec) -> SparseModel:
    """Returns the network with the ghosts of the spec's tweaks: the model itself where these have none.

    Raises:
        ValueError: the network has no place for them.
    """
    tweaks = _ghosts(spec)
    if not isinstance(spec, RunSpec) or not tweaks:
        return model
    haunted: SparseModel = ghostify(
        model, swish=spec.training.ghosts.ghost_activation if "GSw" in tweaks else False, skips="GSk" in tweaks
    )
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
    if not isinstance(spec, RunSpec) or not _ghosts(spec) or spec.training.ghosts.ghost_decay == "none":
        return []
    end = round(spec.training.ghosts.ghost_until * spec.training.epochs * steps_per_epoch(data, spec.training.batch_size)) - spec.first_step
    return [GhostSchedule(end_step=max(1, end), alpha=spec.training.ghosts.ghost_decay)]


def _graph(spec: RunSpec) -> tuple[object, ...]:
    """Returns what decides whether there is a place for the spec's ghosts."""
    return (spec.model.architecture, spec.model.depth, spec.model.width, spec.training.parts & {"SC", "BN"}, _ghosts(spec))


def _ghosts(spec: RunSpec) -> frozenset[str]:
    return spec.training.tweak_names & {"GSk", "GSw"} if isinstance(spec, RunSpec) else frozenset()
