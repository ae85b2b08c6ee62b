"""SET: the smallest weights of each layer are replaced by others at random."""

from collections.abc import Sequence

import numpy as np

from keras_sparseflow.checks import check_seed, takes_density
from keras_sparseflow.layers.structure import masked_kernels_of
from keras_sparseflow.training.dynamic.drop_grow import DropAndGrow


class SET(DropAndGrow):
    """Replaces the smallest weights of each masked layer by others, at random.

    It works in any Keras model, under any `tf.distribute` strategy that its `fit` supports. Before the training step
    of an update, the weights of smallest magnitude are dropped and as many drawn from all others of the layer; a
    dropped weight that is drawn stays as it is. New weights and their optimizer slots start at zero. The draw depends
    on the seed, the step and the layer alone, so a resumed training draws the same.

    This is SET as Evci et al. (2020) compare it with RigL. Mocanu et al. drop the smallest positive and the largest
    negative weights after each epoch, the same share of both, and draw values for the new ones.

    Args:
        end_step: the step from which nothing is replaced; None for three quarters of the steps of `fit`.
        seed: int, at least 0.
        frequency: steps between two updates, at least 1.
        drop_fraction: share of a layer's active weights that is replaced at first, in (0, 1].
        decay: "cosine", by which the share falls to 0 at `end_step`, or "constant".
        begin_step: step of the first update, at least 0; with 0 it is at step `frequency`.
        layers: names or paths of the masked layers to act on, or patterns of these (`"*/query"`); None for all that
            are not frozen.
        first_step: iterations of the optimizer before the schedule begins.

    Attributes:
        rows: list of dicts, one for each kernel and update, with `step`, `layer` (the kernel's path), `drop_fraction`,
            `grown` (the number of weights that became active) and `density`.

    Raises:
        ValueError: arguments out of range; when `fit` begins: no masked layer, unknown names or frozen layers,
            several steps in one execution, or no step before `end_step`.

    Example:
        >>> SET(end_step=30_000, seed=1).to_frame().columns.tolist()
        ['step', 'layer', 'drop_fraction', 'grown', 'density']

    References:
        Mocanu et al. 2018, Scalable training of artificial neural networks with adaptive sparse connectivity.
        Evci et al. 2020, Rigging the Lottery, table 1.
    """

    @takes_density
    def __init__(
        self,
        end_step: int | None = None,
        *,
        seed: int = 0,
        frequency: int = 100,
        drop_fraction: float = 0.3,
        decay: str = "cosine",
        begin_step: int = 0,
        layers: Sequence[str] | None = None,
        first_step: int = 0,
    ):
        super().__init__(
            end_step,
            frequency=frequency,
            drop_fraction=drop_fraction,
            decay=decay,
            begin_step=begin_step,
            layers=layers,
            first_step=first_step,
        )
        self._seed = check_seed(seed)

    def _update(self, step: int) -> None:
        numbers = {kernel.path: number for number, kernel in enumerate(masked_kernels_of(self.model))}
        generators = [np.random.default_rng([self._seed, step, numbers[kernel.path]]) for kernel in self._kernels]
        scores = [each.random(kernel.shape) for each, kernel in zip(generators, self._kernels, strict=True)]
        self._replace(step, scores)
