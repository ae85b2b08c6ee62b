"""Lottery tickets: the files by which each round goes on from the runs of earlier rounds."""

import functools
from pathlib import Path

import keras

from keras_sparseflow.layers.structure import masked_kernels_of
from keras_sparseflow.masks import CollapseError, make_masks, set_masks
from keras_sparseflow.records import RunFolder, read_json
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import RewindPoint, SparseModel, rewind
from keras_sparseflow.training.dynamic.rewinding import weights_of

REWIND, MASKS, WEIGHTS = "rewind.npz", "masks.npz", "weights.npz"


class RoundError(ValueError):
    """A round of a lottery ticket that cannot be trained, whereas the rest of its study can."""


def begin_round(model: SparseModel, spec: RunSpec, study_dir: Path, *, allow_collapse: bool = False) -> None:
    """Gives a dense network the masks and the weights that a round of a lottery ticket begins with.

    Active are the weights of greatest magnitude at the end of the round before, of those that were active in it.
    Their values, BatchNorm statistics included, are those of the dense round after its first `rewind_step` steps.

    Args:
        model: the spec's, dense; it stays so in the dense round.
        spec: of the round.
        study_dir: folder with the runs of earlier rounds.
        allow_collapse: whether a kernel may be left without any active weight.

    Raises:
        RoundError: the round before is not finished or diverged, or a kernel is left without any active weight.
        ValueError: a file of an earlier round can't be read.
    """
    before = spec.round_before
    if before is None:
        return
    folder = RunFolder(study_dir, before.run_id)
    _check_trained(spec, folder)
    set_masks(model, folder.load_arrays(MASKS))
    rewind(model, folder.load_arrays(WEIGHTS))
    try:
        masks = make_masks(
            model,
            spec.sparsity.density,
            score="magnitude",
            distribution=spec.sparsity.distribution or "uniform",
            allow_collapse=allow_collapse,
            kernels=masked_kernels_of(model),
        )
    except CollapseError as error:
        raise RoundError(f"{error} As flags of a study: --distribution=erk or --allow_collapse.") from error
    set_masks(model, masks)
    rewind(model, RunFolder(study_dir, spec.first_round.run_id).load_arrays(REWIND))


def rewind_points(spec: RunSpec, folder: RunFolder, first_step: int) -> list[keras.callbacks.Callback]:
    """Returns the callback that a run needs to keep what later rounds begin with; none if it need not.

    Args:
        spec: of the run.
        folder: of the run.
        first_step: step from which the run goes on; behind that point the state has been kept already.
    """
    tickets = spec.sparsity.tickets
    if tickets is None or spec != spec.first_round or first_step > tickets.rewind_step:
        return []
    return [RewindPoint(tickets.rewind_step, functools.partial(folder.save_arrays, REWIND))]


def keep_round(model: SparseModel, spec: RunSpec, folder: RunFolder) -> None:
    """Writes masks and weights of a finished round of a lottery ticket into its folder; of another run nothing."""
    if spec.sparsity.tickets is not None:
        masks = {kernel.path: keras.ops.convert_to_numpy(kernel.mask) for kernel in masked_kernels_of(model)}
        folder.save_arrays(MASKS, masks)
        folder.save_arrays(WEIGHTS, weights_of(model))


def _check_trained(spec: RunSpec, folder: RunFolder) -> None:
    if not folder.finished:
        raise RoundError(f"{spec.run_id} prunes the weights of {folder.run_id}, which is not finished.")
    if read_json(folder.path / "result.json")["diverged"]:
        raise RoundError(f"{spec.run_id} prunes the weights of {folder.run_id}, which diverged.")
