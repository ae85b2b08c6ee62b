"""What parts of a spec's variant and its tweaks do to its network and its training by their own hooks."""

from typing import Any

import keras

from keras_sparseflow.data import ImageData, steps_per_epoch
from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.studies.spec.combined import Part
from keras_sparseflow.studies.spec.density_spec import DensitySpec
from keras_sparseflow.studies.spec.training_spec import TrainingSpec
from keras_sparseflow.studies.spec.tweaks import TWEAKS
from keras_sparseflow.studies.spec.variants import PARTS


def hooked_parts(spec: TrainingSpec) -> dict[str, Part]:
    """Returns the parts and tweaks of a spec that have hooks, each by what it is called in words.

    Args:
        spec: of the run.

    Raises:
        ValueError: one is of another package, and can't be imported or is no `Part`.
    """
    tweaks = spec.tweak_names if isinstance(spec, DensitySpec) else frozenset()
    named = [(PARTS, name) for name in PARTS if name in spec.parts] + [
        (TWEAKS, name) for name in TWEAKS if name in tweaks
    ]
    found = {f"{table.kind} {name!r}": table.get(name) for table, name in named}
    return {called: part for called, part in found.items() if part.changes_training}


def prepare_by_parts(model: keras.Model, spec: TrainingSpec) -> None:
    """Lets the parts of a spec change its network, and adds their penalties to its loss.

    Args:
        model: built, and not compiled yet.
        spec: of the run.

    Raises:
        RuntimeError: a part has added or removed a variable.
    """
    for called, part in hooked_parts(spec).items():
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


def part_callbacks(spec: TrainingSpec, data: ImageData) -> list[keras.callbacks.Callback]:
    """Returns the callbacks of the parts of a spec.

    Args:
        spec: of the run.
        data: gives the steps of an epoch.
    """
    steps = spec.epochs * steps_per_epoch(data, spec.batch_size)
    hooks = [part.callbacks for part in hooked_parts(spec).values() if part.callbacks is not None]
    return [callback for hook in hooks for callback in hook(spec, steps)]


class _Penalised(keras.regularizers.Regularizer):
    """What a kernel is regularised by, and a penalty of the effective kernel."""

    def __init__(self, regularizer: Any, penalty: Any):
        self._regularizer = regularizer
        self._penalty = penalty

    def __call__(self, kernel: Any) -> Any:
        penalty = self._penalty(kernel)
        return penalty if self._regularizer is None else self._regularizer(kernel) + penalty
