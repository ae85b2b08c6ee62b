"""The network of a density study."""

from keras_sparseflow.data import ImageData
from keras_sparseflow.experiments.density_spec import DensitySpec
from keras_sparseflow.experiments.masking import set_scored_masks
from keras_sparseflow.experiments.named import MODELS
from keras_sparseflow.experiments.recipe import l2_penalty
from keras_sparseflow.training import SparseModel


def density_model(spec: DensitySpec, data: ImageData, model_class: type[SparseModel]) -> SparseModel:
    """Returns the spec's network, initialised, with the masks that it begins with.

    Args:
        spec: what to build.
        data: whose image shape and classes it fits, and on which scores are computed.
        model_class: the class to make.

    Raises:
        ValueError: the score leaves a kernel without any active weight, and the spec refuses that.
    """
    seeded = spec.score == "random" and spec.distribution == "uniform"  # what layers draw by themselves
    model: SparseModel = MODELS.get(spec.model).build(
        data.input_shape,
        data.num_classes,
        depth=spec.depth,
        width=spec.width,
        density=spec.density if seeded and not spec.prunes else 1.0,
        dense_ends=spec.ends == "dense",
        activation=spec.activation,
        activation_arguments=spec.activation_arguments,
        batch_norm="BN" in spec.parts,
        skip_connections="SC" in spec.parts,
        dropout=spec.dropout,
        l2=l2_penalty(spec),
        seed=spec.seed,
        model_class=model_class,
    )
    if not seeded:
        try:
            allowed = spec.collapse == "allow"
            set_scored_masks(model, spec, data, spec.density, spec.distribution, allow_collapse=allowed)
        except ValueError as error:
            raise ValueError(f"Masks of {spec.run_id}: {error} (In a study: collapse='allow'.)") from error
    return model
