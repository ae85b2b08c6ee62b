"""Going back to what a model was earlier in its training, as the rounds of a lottery ticket do."""

from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.structure import variables_of
from keras_sparseflow.training.counting import steps_done


class RewindPoint(keras.callbacks.Callback):
    """Keeps what a model is after some steps of `fit`, for `rewind`: its weights, but neither masks nor optimizer.

    Args:
        step: of the optimizer, at least 0, after which; 0 for what `fit` begins with.
        on_kept: called once with the state, for instance to write it to disk.

    Attributes:
        state: as `weights_of` returns it; None until then.

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
    """Returns the variables of a built model as arrays by path: the names of the layers on the way, and their own.

    BatchNorm statistics and states of random generators are among them, masks and the optimizer are not.

    Args:
        model: any built Keras model.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="output")])
        >>> {name: weights.shape for name, weights in weights_of(model).items()}
        {'output/kernel': (2, 1), 'output/bias': (1,)}
    """
    return {weight.path: keras.ops.convert_to_numpy(weight.variable) for weight in variables_of(model)}


def rewind(model: keras.Model, state: Mapping[str, np.ndarray] | None) -> None:
    """Gives a model the weights of an earlier moment; those that its masks have removed since are zero.

    The optimizer stays as it is: a new training takes a new one.

    Args:
        model: built, of the same layers.
        state: as `weights_of` returned it.

    Raises:
        ValueError: names or shapes are not those of the model, or there is no state; the model is left as it was.

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
    variables = {weight.path: weight.variable for weight in variables_of(model)}
    shapes = {path: tuple(variable.shape) for path, variable in variables.items()}
    received = {path: array.shape for path, array in state.items()}
    if shapes != received:
        odd = sorted(path for path in {**shapes, **received} if shapes.get(path) != received.get(path))
        raise ValueError(
            f"`state` must be of the same layers as model {model.name!r}; of {odd[0]!r} the shape expected is "
            f"{shapes.get(odd[0])}, received {received.get(odd[0])}."
        )
    for path, variable in variables.items():
        variable.assign(state[path])
