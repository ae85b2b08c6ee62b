"""Base class of callbacks that change masks between the steps of `fit`."""

import abc
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras
import numpy as np
import pandas as pd

from keras_sparseflow.checks import check_names, check_number
from keras_sparseflow.layers import MaskedKernel
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.lora import has_lora
from keras_sparseflow.layers.mask.slots import check_slots
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel
from keras_sparseflow.layers.structure import Kernel, masked_kernels_of
from keras_sparseflow.masks.which_kernels import names_kernel
from keras_sparseflow.plugins import unknown_name
from keras_sparseflow.training.counting import batches_done, batches_per_step, steps_done
from keras_sparseflow.twins.sparse_twins import resize, unbuilt_successor


class MaskUpdates(keras.callbacks.Callback, abc.ABC):
    """Base of the callbacks that change the masks of a model's layers between training steps.

    Steps are the optimizer's iterations, counted from 1, so a resumed training goes on where it was. If the
    optimizer accumulates gradients, a step is all the batches of one of its updates.

    Args:
        layers: names or paths of the masked layers to act on, or patterns of these (`"*/query"`); None for all.
        first_step: iterations of the optimizer before the schedule begins.

    Attributes:
        keeps_counts: whether as many weights of each kernel stay active; a sparse layer whose count changes gets new
            variables, and the model a new optimizer.
        rows: list of dicts, one for each kernel and update, with the class's `columns`; `layer` is the kernel's path.

    Raises:
        ValueError: `first_step` is negative; when `fit` begins: no masked layer, unknown names, or several
            steps in one execution, or an optimizer of whose slots the initial values cannot be told, or that
            cannot go on when sparse layers are pruned.
    """

    columns: ClassVar[tuple[str, ...]]
    keeps_counts: ClassVar[bool] = False

    def __init__(self, layers: Sequence[str] | None, first_step: int):
        super().__init__()
        check_tensorflow(type(self).__name__)
        self.rows: list[dict[str, Any]] = []
        self._names = None if layers is None else check_names("layers", layers)
        self._first_step = check_number("first_step", first_step, whole=True, minimum=0)
        self._kernels: list[Kernel] = []
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
        self._kernels = self._find_kernels()
        if not self.keeps_counts and any(isinstance(kernel.layer, SparseKernel) for kernel in self._kernels):
            unbuilt_successor(self.model.optimizer)  # refused now, not in the middle of `fit`
        with self.model.distribute_strategy.scope():
            # Slots that are made later would not be zero where the first masks remove weights.
            if not self.model.optimizer.built:  # a second build would reset Keras' loss scale
                self.model.optimizer.build(self.model.trainable_variables)
            check_slots(self.model.optimizer, [kernel.variable for kernel in self._kernels])

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        # Read only now: another callback may restore a training in its `on_train_begin`.
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
        """Sets the mask of every kernel, in the order of `self._kernels`, and adds a row for each."""
        before = [keras.ops.convert_to_numpy(kernel.mask) for kernel in self._kernels]
        with self.model.distribute_strategy.scope():
            self._resize(masks)
            for kernel, old, mask in zip(self._kernels, before, masks, strict=True):
                layer: Any = kernel.layer
                layer.set_mask(mask, self.model.optimizer)
                row = {"step": step, "layer": kernel.path, **columns, **self._changes(old, mask)}
                self.rows.append({**row, "density": layer.density})

    def _resize(self, masks: Sequence[np.ndarray]) -> None:
        """Makes new variables for sparse layers whose number of active weights changes; the step is traced anew."""
        sizes = {id(kernel.layer): mask for kernel, mask in zip(self._kernels, masks, strict=True)}
        if resize(self.model, sizes):
            self.model.make_train_function(force=True)
            self._kernels = self._find_kernels()

    def _changes(self, before: np.ndarray, after: np.ndarray) -> Mapping[str, Any]:
        """Returns further columns of a row, from the kernel's old and new mask."""
        return {}

    def _check_not_over(self, last_step: int | None) -> None:
        """Raises ValueError if a schedule has ended and nothing is pruned; it never ends if `last_step` is None."""
        done = self._steps_done
        dense = all(bool(keras.ops.all(kernel.mask)) for kernel in self._kernels)
        if last_step is not None and last_step <= done and dense:
            done += self._first_step
            raise ValueError(
                f"The last step of the schedule is {last_step}, after `first_step` {self._first_step}; the optimizer "
                f"has done {done} steps, and nothing is pruned. Let the schedule begin later, or pass "
                f"first_step={done}."
            )

    def _find_kernels(self) -> list[Kernel]:
        layers = [layer for layer in self.model._flatten_layers() if isinstance(layer, MaskedKernel)]
        if not layers:
            raise ValueError(
                f"{type(self).__name__} needs masked layers; model {self.model.name!r} has none. Make it of "
                "`MaskedDense` and the like, which start dense unless you give a density."
            )
        if not all(layer.built for layer in layers):
            raise ValueError(
                f"{type(self).__name__} needs the kernels of model {self.model.name!r}, which are not made yet: call "
                "the model on a batch first."
            )
        found = masked_kernels_of(self.model)
        for name in self._names or ():
            if not any(names_kernel(kernel, name) for kernel in found):
                raise unknown_name("masked layer", name, [kernel.path for kernel in found])
        if self._names is not None:
            found = [kernel for kernel in found if any(names_kernel(kernel, name) for name in self._names)]
        of_lora = [kernel.path for kernel in found if has_lora(kernel)]
        if of_lora:
            raise ValueError(
                f"{type(self).__name__} needs kernels that train, which LoRA freezes; received {of_lora}. Leave "
                "these layers out of `layers`, or load the model's saved weights into one built without LoRA."
            )
        return found
