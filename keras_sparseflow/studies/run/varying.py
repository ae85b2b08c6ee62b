"""Hooks of variant parts and tweaks: build, compile, callbacks."""

from typing import Any

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.studies.spec.run_spec import RunSpec


def prepare_by_parts(model: keras.Model, spec: RunSpec) -> None:
    """Lets the parts of a spec change its network, and adds their penalties to its loss.

    Args:
        model: built, and not compiled yet.
        spec: of the run.

    Raises:
        RuntimeError: a part has added or removed a variable.
    """
    for called, part in spec.training.hooked_parts.items():
        if part.prepare is not None:
            before = [variable.path for variable in model.variables]
            part.prepare(model, spec)
            after = [variable.path for variable in model.variables]
            if after != before:
                changed = ", ".join(sorted({*before} ^ {*after})) or "their order"
                raise RuntimeError(
                    f"The {called} must leave the network's variables as they are; it changed {changed}."
                )
        if part.penalty is not None:
            for kernel in flow_kernels(model):
                kernel.variable.regularizer = _Penalised(kernel.variable.regularizer, part.penalty)


def part_callbacks(spec: RunSpec, data: ImageData) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of the parts of a spec.

    Args:
        spec: of the run.
        data: gives the steps of an epoch.
    """
    steps = spec.training.epochs * steps_per_epoch(data, spec.training.batch_size)
    hooks = [part.callbacks for part in spec.training.hooked_parts.values() if part.callbacks is not None]
    return [callback for hook in hooks for callback in hook(spec, steps)]


class _Penalised(keras.regularizers.Regularizer):
    """Adds a penalty of the effective kernel to a kernel's own regularizer."""

    def __init__(self, regularizer: Any, penalty: Any):
        self._regularizer = regularizer
        self._penalty = penalty

    def __call__(self, kernel: Any) -> Any:
        penalty = self._penalty(kernel)
        return penalty if self._regularizer is None else self._regularizer(kernel) + penalty
