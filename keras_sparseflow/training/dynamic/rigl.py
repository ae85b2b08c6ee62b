"""RigL: the smallest weights of each layer are replaced by those with the largest gradients."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_sparseflow.checks import takes_density
from keras_sparseflow.training.counting import batches_per_step
from keras_sparseflow.training.dynamic.drop_grow import DropAndGrow
from keras_sparseflow.training.model import SparseModel
from keras_sparseflow.training.recorder import check_cost


class RigL(DropAndGrow):
    """Replaces the smallest weights of each masked layer of a `SparseModel` by those with the largest gradients.

    Every `frequency` steps an update computes the gradient of the effective kernels on the step's whole batch. Each
    layer drops its weights of smallest magnitude and grows as many with the largest gradient magnitudes. As in the
    paper, an update replaces a step of the optimizer: no weight changes by its gradient, but metrics, BatchNorm
    statistics and the optimizer's iterations go on. New weights and their optimizer slots start at zero. A dropped
    weight with one of the largest gradients stays as it is.

    Other steps cost nothing. An update holds one gradient of each kernel in memory.

    Args:
        end_step: the step from which nothing is replaced; None for three quarters of the steps of `fit`.
        frequency: steps between two updates, at least 1.
        drop_fraction: share of a layer's active weights that is replaced at first, in (0, 1].
        decay: "cosine", by which the share falls to 0 at `end_step`, or "constant".
        begin_step: step of the first update, at least 0; with 0 it is at step `frequency`. (In the
            authors' code the first step is an update too: `begin_step=1`.)
        layers: names or paths of the masked layers to act on, or patterns of these (`"*/query"`); None for all that
            are not frozen.
        first_step: iterations of the optimizer before the schedule begins.
        cost: "data" for the gradient of the loss without weight regularisers, as in the authors' code, or "total".
            They can differ only in which dropped weights stay: inactive weights have the same gradient in both.

    Attributes:
        rows: list of dicts, one for each kernel and update, with `step`, `layer` (the kernel's path), `drop_fraction`,
            `grown` (the number of weights that became active) and `density`.

    Raises:
        ValueError: arguments out of range; when `fit` begins: the model is no SparseModel, an optimizer that
            accumulates gradients, no masked layer, unknown names or frozen layers, several steps in one execution, or
            no step before `end_step`.

    Example:
        >>> RigL(end_step=30_000).to_frame().columns.tolist()
        ['step', 'layer', 'drop_fraction', 'grown', 'density']

    References:
        Evci, Gale, Menick, Castro & Elsen 2020, Rigging the Lottery: Making All Tickets Winners, algorithm 1.
    """

    @takes_density
    def __init__(
        self,
        end_step: int | None = None,
        *,
        frequency: int = 100,
        drop_fraction: float = 0.3,
        decay: str = "cosine",
        begin_step: int = 0,
        layers: Sequence[str] | None = None,
        first_step: int = 0,
        cost: str = "data",
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
        self._cost = check_cost(cost)
        self._gradients: Callable[[Any], Any]

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if not isinstance(self.model, SparseModel):
            raise ValueError(
                "RigL needs the gradient of inactive weights, which a SparseModel has; received a "
                f"{type(self.model).__name__}. Make the model a SparseModel, or train it with `SET`."
            )
        super().on_train_begin(logs)
        if batches_per_step(self.model) != 1:
            raise ValueError(
                "RigL takes the gradient of one batch: the optimizer's `gradient_accumulation_steps` must be None; "
                f"received {batches_per_step(self.model)}."
            )
        self._gradients = self._gradient_function(self.model)

    def _update(self, step: int) -> None:
        """Replaces the next step of `fit` by the update."""

        def update(iterator: Any) -> dict[str, Any]:
            metrics, gradients = self._gradients(iterator)
            self._replace(step, [np.abs(gradient) for gradient in gradients])
            return metrics

        self.model.replace_step(update)

    def _gradient_function(self, model: SparseModel) -> Callable[[Any], Any]:
        """Returns a function from an iterator of batches to metrics and the kernels' gradients on the next one."""

        def step(data: Any) -> tuple[dict[str, Any], tuple[tf.Tensor, ...]]:
            return model.gradient_step(data, self._kernels, self._cost)

        return model._make_function(step)
