"""What callbacks that change masks between the steps of `fit` have in common."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import pandas as pd

from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.training.counting import batches_done, batches_per_step, steps_done


class MaskUpdates(keras.callbacks.Callback, abc.ABC):
    """Base of the callbacks that change the masks of a model's layers between training steps.

    Steps are counted from 1 and follow the optimizer's iterations: a training that is resumed goes on where it
    was. Where the optimizer accumulates gradients, a step is all the batches of one of its updates.

    Args:
        layers: names of the masked layers to act on; None for all.
        first_step: iterations that the optimizer has done when step 0 is.

    Attributes:
        rows: list of dicts, one for each layer and update, with the `columns` of the class.

    Raises:
        ValueError: `first_step` is negative; when `fit` begins: no masked layer, unknown names, or several
            steps in one execution.
    """

    columns: ClassVar[tuple[str, ...]]

    def __init__(self, layers: Sequence[str] | None, first_step: int):
        super().__init__()
        if first_step < 0:
            raise ValueError(f"`first_step` must be at least 0; received {first_step}.")
        self.rows: list[dict[str, Any]] = []
        self._names = layers
        self._first_step = first_step
        self._layers: list[MaskedKernel] = []
        self._batches_done = 0

    @abc.abstractmethod
    def _before_step(self, step: int) -> None:
        """Changes the masks if that is due before this step, counted from 1."""

    def to_frame(self) -> pd.DataFrame:
        """Returns the rows as a DataFrame."""
        return pd.DataFrame(self.rows, columns=list(self.columns))

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.model.steps_per_execution != 1:
            raise ValueError(
                f"{type(self).__name__} updates masks between steps: `steps_per_execution` must be 1; received "
                f"{self.model.steps_per_execution}."
            )
        self._layers = self._find_layers()
        with self.model.distribute_strategy.scope():
            # Slots that are made later would not be zero where the first masks remove weights.
            if not self.model.optimizer.built:  # Keras' loss scale would start anew
                self.model.optimizer.build(self.model.trainable_variables)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Read now, for a callback may have restored a training in `on_train_begin`.
        self._batches_done = batches_done(self.model)

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        iterations, accumulated = divmod(self._batches_done + batch, batches_per_step(self.model))
        step = iterations - self._first_step + 1
        if not accumulated and step >= 1:
            self._before_step(step)

    @property
    def _steps_done(self) -> int:
        """Steps since `first_step`, negative before it."""
        return steps_done(self.model) - self._first_step

    def _set_masks(self, step: int, masks: Sequence[np.ndarray], **columns: Any) -> None:
        """Gives every layer its mask, in the order of `self._layers`, and adds a row for each."""
        with self.model.distribute_strategy.scope():
            for layer, mask in zip(self._layers, masks, strict=True):
                before = keras.ops.convert_to_numpy(layer.mask)
                layer.set_mask(mask, self.model.optimizer)
                row = {"step": step, "layer": layer.name, **columns, **self._changes(before, mask)}
                self.rows.append({**row, "density": layer.density})

    def _changes(self, before: np.ndarray, after: np.ndarray) -> Mapping[str, Any]:
        """Returns what a row says about a layer's old and new mask, beside the density."""
        return {}

    def _check_not_over(self, last_step: int | None) -> None:
        """Refuses a schedule of which nothing is left although nothing is pruned; None for one that never ends."""
        done = self._steps_done
        if last_step is not None and last_step <= done and all(layer.density == 1 for layer in self._layers):
            done += self._first_step
            raise ValueError(
                f"The last step of the schedule is {last_step}, after `first_step` {self._first_step}; the optimizer "
                f"has done {done} steps, and nothing is pruned. Let the schedule begin later, or pass "
                f"first_step={done}."
            )

    def _find_layers(self) -> list[MaskedKernel]:
        found = self._all_layers()
        if not found:
            raise ValueError(
                f"{type(self).__name__} needs masked layers; model {self.model.name!r} has none. Make it of "
                "`MaskedDense` and its kin; their density is 1 unless you choose another."
            )
        if not all(layer.built for layer in found):
            raise ValueError(
                f"{type(self).__name__} needs the kernels of model {self.model.name!r}, which are not made yet: call "
                "the model on a batch first."
            )
        known = [layer.name for layer in found]
        for name in self._names or ():
            if name not in known:
                raise unknown_name("masked layer", name, known)
        return [layer for layer in found if self._names is None or layer.name in self._names]

    def _all_layers(self) -> list[MaskedKernel]:
        return [layer for layer in self.model._flatten_layers() if isinstance(layer, MaskedKernel)]
