"""The data of a run."""

from dataclasses import dataclass

from keras_sparseflow.checks import LARGEST_SEED
from keras_sparseflow.studies.spec.combined import parse_variant
from keras_sparseflow.studies.spec.fields import OURS, PAPER, Values, spec_field


def _augments(values: Values) -> bool:
    return "DA" in parse_variant(values["variant"])


@dataclass(frozen=True, kw_only=True)
class DataSpec:
    """The images, those held out for validation, and how they are augmented.

    Example:
        >>> DataSpec(dataset="cifar10", image_size=8).train_size is None  # all images
        True
    """

    dataset: str = spec_field("digits", "dataset by name: digits, any of TensorFlow Datasets, or folder")
    image_size: int | None = spec_field(
        None, "side in pixels to which images are down-sampled; none keeps them", minimum=1
    )
    train_size: int | None = spec_field(None, "number of training images, class-balanced; none takes all", minimum=1)
    subset_seed: int | None = spec_field(
        0,
        "seed of the choice of `train_size` images",
        when=lambda values: values["train_size"] is not None,
        minimum=0,
        maximum=LARGEST_SEED,
    )
    validation_size: int | None = spec_field(
        None,
        "number of training images, class-balanced, that are held out from training, and on which networks are "
        "evaluated after each epoch; none holds out none",
        minimum=1,
    )
    validation_seed: int | None = spec_field(
        0,
        "seed of the choice of `validation_size` images",
        when=lambda values: values["validation_size"] is not None,
        minimum=0,
        maximum=LARGEST_SEED,
    )
    augment_pad: int | None = spec_field(
        None,
        "pixels of padding before the random crop of DA; none: an eighth of the images' side, at least 1",
        OURS,
        when=_augments,
        minimum=0,
    )
    augment_flip: str | None = spec_field(
        "random",
        "flips of DA: images are mirrored left to right at random, or never",
        PAPER,
        when=_augments,
        choices=("random", "never"),
    )
