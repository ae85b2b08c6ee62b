"""The network of a density study."""

from collections.abc import Callable, Iterable
from pathlib import Path

from keras_sparseflow.data import ImageData
from keras_sparseflow.masks import CollapseError
from keras_sparseflow.studies.run.masking import set_scored_masks
from keras_sparseflow.studies.run.recipe import l2_penalty
from keras_sparseflow.studies.run.tickets import begin_round
from keras_sparseflow.studies.size.kernel_counts import decides_over_all
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.spec.name_tables import MODELS
from keras_sparseflow.training import SparseModel
from keras_sparseflow.training.precision import precision_policy


def density_model(
    spec: RunSpec,
    data: ImageData,
    model_class: type[SparseModel],
    *,
    study_dir: Path | None = None,
    allow_collapse: bool = False,
) -> SparseModel:
    """Returns the spec's network with the weights and the masks that it begins with.

    Args:
        spec: what to build.
        data: whose image shape and classes it fits, and on which scores are computed.
        model_class: the class to make.
        study_dir: where the earlier rounds of a lottery ticket are; others need none.
        allow_collapse: whether a kernel may be left without any active weight.

    Raises:
        ValueError: a kernel is left without any active weight, and that is not allowed; or see `begin_round`.
    """
    lottery = spec.sparsity.method == "lottery"
    seeded = spec.sparsity.score == "random" and spec.sparsity.distribution == "uniform"  # what layers draw by themselves
    model: SparseModel = MODELS.get(spec.model.architecture).build(
        data.input_shape,
        data.num_classes,
        depth=spec.model.depth,
        width=spec.model.width,
        density=spec.sparsity.density if seeded and not spec.prunes and not lottery else 1.0,
        dense_ends=spec.sparsity.ends == "dense",
        activation=spec.model.activation,
        activation_arguments=spec.model.activation_arguments,
        batch_norm="BN" in spec.training.parts,
        skip_connections="SC" in spec.training.parts,
        dropout=spec.model.dropout,
        l2=l2_penalty(spec),
        seed=spec.seed,
        model_class=model_class,
    )
    if lottery:
        assert study_dir is not None
        begin_round(model, spec, study_dir, allow_collapse=allow_collapse)
    elif not seeded:
        try:
            set_scored_masks(model, spec, data, spec.sparsity.density, spec.sparsity.distribution, allow_collapse=allow_collapse)
        except CollapseError as error:
            remedy = "As flags of a study: --density, --distribution=erk or --allow_collapse."
            raise CollapseError(f"Masks of {spec.run_id}: {error} {remedy}") from error
    return model


def check_collapse(specs: Iterable[RunSpec], data: ImageData, say: Callable[[str], None] = lambda _: None) -> None:
    """Refuses scores that leave a kernel without any weight before anything is trained.

    Tried is the lowest density of each score and network, with its first seed. The masks of lottery tickets come from
    training, and are not tried.

    Args:
        specs: of the runs.
        data: that they train on.
        say: told of each network that is tried, as large ones take long.

    Raises:
        CollapseError: a kernel is left without any active weight.
    """
    lowest: dict[tuple[object, ...], RunSpec] = {}
    for spec in specs:
        if not isinstance(spec, RunSpec) or spec.sparsity.method == "lottery":
            continue
        if decides_over_all(spec):
            alike = tuple(getattr(spec, name) for name in _DECIDE_MASKS)
            lowest[alike] = min(lowest.get(alike, spec), spec, key=lambda spec: spec.sparsity.density)
    for spec in lowest.values():
        say(f"Looking whether {spec.name} leaves a kernel without any weight.")
        with precision_policy(spec.training.precision):
            density_model(spec, data, SparseModel)


_DECIDE_MASKS = (
    *("score", "score_samples", "distribution", "ends", "precision"),
    *("model", "depth", "width", "variant", "activation", "activation_options", "loss"),
)
"""Fields that masks depend on, besides density and seed."""
