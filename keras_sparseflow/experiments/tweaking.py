"""The tweaks of ToST that a spec names, on its network and in its training."""

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.experiments.density_spec import DensitySpec
from keras_sparseflow.experiments.training_spec import TrainingSpec
from keras_sparseflow.layers.ghost import ghosts_of
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.ghost_schedule import GhostSchedule
from keras_sparseflow.twins import ghostify, strip_ghosts


def with_ghosts(model: SparseModel, spec: TrainingSpec) -> SparseModel:
    """Returns the network with the ghosts of the spec's tweaks: the model itself where these have none.

    Raises:
        ValueError: the network has no place for them.
    """
    tweaks = _ghosts(spec)
    if not isinstance(spec, DensitySpec) or not tweaks:
        return model
    haunted: SparseModel = ghostify(
        model, swish=spec.ghost_activation if "GSw" in tweaks else False, skips="GSk" in tweaks
    )
    return haunted


def without_ghosts(model: SparseModel) -> SparseModel:
    """Returns the network in its own architecture; itself where it has no ghosts, or some have not faded."""
    ghosts = ghosts_of(model)
    if not ghosts or any(ghost.is_ghost for ghost in ghosts):
        return model
    plain: SparseModel = strip_ghosts(model)
    return plain


def ghost_callbacks(spec: TrainingSpec, data: ImageData) -> list[keras.callbacks.Callback]:
    """Returns the callback that lets the ghosts of the spec's network fade; none where there are none, or they stay.

    Args:
        spec: of the run.
        data: gives the steps of an epoch.
    """
    if not isinstance(spec, DensitySpec) or not _ghosts(spec) or spec.ghost_decay == "none":
        return []
    end = round(spec.ghost_until * spec.epochs * steps_per_epoch(data, spec.batch_size)) - spec.first_step
    return [GhostSchedule(end_step=max(1, end), alpha=spec.ghost_decay)]


def _ghosts(spec: TrainingSpec) -> frozenset[str]:
    return spec.tweak_names & {"GSk", "GSw"} if isinstance(spec, DensitySpec) else frozenset()
