"""The state that training resumes from: variables of the network and its optimizer, by stable names."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np


def network_state(model: keras.Model) -> dict[str, keras.Variable]:
    """Returns the variables of a compiled model and of its optimizer, except the learning rate, by name."""
    return {**_unique([v.path for v in model.variables], model.variables), **optimizer_state(model.optimizer)}


def optimizer_state(optimizer: keras.optimizers.Optimizer) -> dict[str, keras.Variable]:
    """Returns an optimizer's slots and counters as `optimizer/<weight>_<slot>`, `optimizer/iteration`, ..."""
    variables = [v for v in optimizer.variables if not v.path.endswith("learning_rate")]
    return _unique([f"optimizer/{v.path.rpartition('/')[2]}" for v in variables], variables)


def check_state(state: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], where: object) -> None:
    """Raises ValueError unless a stored state has exactly these names and shapes.

    Args:
        state: the stored arrays, by name.
        shapes: the expected shapes, by name.
        where: place of the checkpoint, for the message.
    """
    found = {name: array.shape for name, array in state.items()}
    if found == dict(shapes):
        return
    odd = next(name for name in {**shapes, **found} if found.get(name) != shapes.get(name))
    raise ValueError(
        f"The checkpoint in {where} is of another network: expected {odd!r} to have the shape {shapes.get(odd)}; "
        f"received {found.get(odd)} (None: no such variable). Remove that folder."
    )


def restore_state(variables: Mapping[str, keras.Variable], state: Mapping[str, np.ndarray], where: object) -> None:
    """Assigns a stored state to the variables that `network_state` returned.

    Raises:
        ValueError: the state is of another network; nothing is assigned then.
    """
    check_state(state, {name: tuple(variable.shape) for name, variable in variables.items()}, where)
    for name, variable in variables.items():
        variable.assign(state[name])


def _unique(names: Sequence[str], variables: Sequence[keras.Variable]) -> dict[str, keras.Variable]:
    """Returns variables by name, numbering those optimizer variables to which Keras gives one name."""
    named: dict[str, keras.Variable] = {}
    for name, variable in zip(names, variables, strict=True):
        same = sum(other.partition("#")[0] == name for other in named)
        named[f"{name}#{same}" if same else name] = variable
    return named
