"""Rewinding: a model gets back the weights of an earlier training step, as lottery tickets need."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.structure import variables_of
from keras_sparseflow.training.counting import steps_done


class RewindPoint(keras.callbacks.Callback):
    """Keeps the weights that a model has after some steps of `fit`, for `rewind`; not its masks or optimizer.

    Args:
        step: the optimizer's step after which to keep them, at least 0; 0 for the weights that `fit` begins with.
        on_kept: called once with the state, for instance to write it to disk.

    Attributes:
        state: the weights as `weights_of` returns them; None until they are kept.

    Raises:
        ValueError: `step` is negative; when `fit` begins: the optimizer is past it, or runs several steps at once.

    Example:
        >>> RewindPoint(step=500).state is None
        True
    """

    def __init__(self, step: int = 0, on_kept: Callable[[dict[str, np.ndarray]], None] | None = None):
        super().__init__()
        check_tensorflow("RewindPoint")
        if step < 0:
            raise ValueError(f"`step` must be at least 0; received {step}.")
        self.state: dict[str, np.ndarray] | None = None
        self._step = step
        self._on_kept = on_kept

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        if self.state is not None:
            return
        if self._step and self.model.steps_per_execution != 1:
            raise ValueError(
                "RewindPoint looks at the model between steps: `steps_per_execution` must be 1; received "
                f"{self.model.steps_per_execution}."
            )
        if steps_done(self.model) > self._step:
            raise ValueError(
                f"`step` must be at least {steps_done(self.model)}, the steps that the optimizer has done; received "
                f"{self._step}."
            )
        self._keep_if_due()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self._keep_if_due()

    def _keep_if_due(self) -> None:
        if self.state is None and steps_done(self.model) == self._step:
            self.state = weights_of(self.model)
            if self._on_kept is not None:
                self._on_kept(self.state)


def weights_of(model: keras.Model) -> dict[str, np.ndarray]:
    """Returns the variables of a built model as arrays, by path.

    BatchNorm statistics and random states are included; masks and the optimizer's variables are not.

    Args:
        model: any built Keras model.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="output")])
        >>> {name: weights.shape for name, weights in weights_of(model).items()}
        {'output/kernel': (2, 1), 'output/bias': (1,)}
    """
    return {weight.path: weight.values for weight in variables_of(model)}


# Variables are found by path, because a rebuilt or sparsified model may list them in another order. All shapes are
# compared before the first assignment, so an error leaves the model whole. Assigning a masked kernel sets its inactive
# entries to zero: the early weights return inside the new mask only, and a ticket keeps its density.
def rewind(model: keras.Model, state: Mapping[str, np.ndarray] | None) -> None:
    """Gives a model the weights of an earlier step; those that its masks have removed since stay zero.

    The optimizer does not change: compile the model with a new one before you train again.

    Args:
        model: built, of the same layers.
        state: as `weights_of` returned it.

    Raises:
        ValueError: there is no state, or it has other names or shapes than the model, which then stays unchanged.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="output")])
        >>> before = weights_of(model)
        >>> _ = model.get_layer("output").kernel.assign([[1.0], [2.0]])
        >>> rewind(model, before)
        >>> bool((model.get_layer("output").kernel == before["output/kernel"]).numpy().all())
        True
    """
    if state is None:
        raise ValueError(
            "`state` must be what `weights_of` returned, or a RewindPoint kept; received None: its step never came."
        )
    weights = {weight.path: weight for weight in variables_of(model)}
    shapes = {path: weight.shape for path, weight in weights.items()}
    received = {path: array.shape for path, array in state.items()}
    if shapes != received:
        odd = sorted(path for path in {**shapes, **received} if shapes.get(path) != received.get(path))
        raise ValueError(
            f"`state` must be of the same layers as model {model.name!r}: expected {odd[0]!r} to have the shape "
            f"{shapes.get(odd[0])}; received {received.get(odd[0])}."
        )
    for path, weight in weights.items():
        weight.assign(state[path])
