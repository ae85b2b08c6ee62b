"""The masks that the score of a spec gives its network before training."""

from collections.abc import Iterable, Mapping

import numpy as np

from keras_sparseflow.data import ImageData
from keras_sparseflow.layers.structure import masked_kernels_of
from keras_sparseflow.masks import make_masks, samples_per_class, set_masks
from keras_sparseflow.studies.run.recipe import plain_loss
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.training import SparseModel


def set_scored_masks(
    model: SparseModel,
    spec: RunSpec,
    data: ImageData,
    density: float | None,
    distribution: str | Mapping[str, int],
    *,
    allow_collapse: bool = False,
) -> None:
    """Gives the masked layers of a network the masks of the spec's score.

    Args:
        model: model whose masked layers are all active; stock layers stay as they are.
        spec: names the score, and gives the seed of what is random.
        data: dataset whose training images scores may look at, as they are, without augmentation.
        density: of the masked kernels together or each, as the distribution has it; None where that is counts.
        distribution: see `make_masks`.
        allow_collapse: whether a kernel may be left without any active weight.

    Raises:
        ValueError: see `make_masks`.
    """
    examples = None
    if spec.sparsity.score_samples is not None:
        examples = samples_per_class(data.train_images, data.train_labels, spec.sparsity.score_samples, spec.seed)
    masks = make_masks(
        model,
        density,
        score=spec.sparsity.score or "random",
        distribution=distribution,
        data=examples,
        loss=plain_loss(spec),
        seed=spec.seed,
        allow_collapse=allow_collapse,
        kernels=masked_kernels_of(model),
    )
    set_masks(model, masks)


def check_samples(specs: Iterable[RunSpec], data: ImageData) -> None:
    """Refuses scores that look at more images of a class than there are.

    Args:
        specs: of the runs.
        data: dataset on which they train.

    Raises:
        ValueError: a class has fewer training images.
    """
    fewest = int(np.bincount(data.train_labels, minlength=data.num_classes).min())
    for spec in specs:
        if (spec.sparsity.score_samples or 0) > fewest:
            raise ValueError(
                f"`score_samples` must be at most {fewest}, the training images of the smallest class; received "
                f"{spec.sparsity.score_samples}."
            )
