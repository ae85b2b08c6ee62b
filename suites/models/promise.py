"""The promises of docs/sparsify.md about a model's masked twin, measured on one model."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_sparseflow.layers.structure import kernels_of, masked_kernels_of, variables_at_places
from keras_sparseflow.masks import make_masks, set_masks
from keras_sparseflow.twins import load_compressed, save_compressed, sparsify, strip_masks
from keras_sparseflow.twins.conversion import left_dense
from keras_sparseflow.twins.copying import layers_of
from tests.twins.models import array, masks, same

DENSITY = 0.25


@dataclass(frozen=True)
class Promise:
    """Measured facts of one model's twin; differences are of outputs, as a share of the largest output.

    Args:
        kernels: how many kernels have a mask.
        weights: how many weights these have.
        masked: their share of all matrices, embeddings and what was excluded left out.
        own_classes: whether the twin is of the model's class, and each stripped layer of its stock layer's.
        at_one: difference between the model's outputs and those of its twin of density 1.
        zeros: whether all inactive weights are zero after a step of training.
        moved: share of the kernels of which that step has changed an active weight.
        file: difference between the trained twin and what its `.keras` file gives; infinite unless class, masks and
            kernels are equal.
        compressed: the same of its compressed file.
        stripped: difference between the stripped twin and the model with its weights, zeros in place of inactive ones.
    """

    kernels: int
    weights: int
    masked: float
    own_classes: bool
    at_one: float
    zeros: bool
    moved: float
    file: float
    compressed: float
    stripped: float

    def broken(self) -> list[str]:
        """Returns the names of the facts that are not as promised."""
        kept = {
            "masked": self.masked >= 0.9,
            "own_classes": self.own_classes,
            "zeros": self.zeros,
            "moved": self.moved > 0.5,  # a dead ReLU leaves a kernel as it is
            **{name: getattr(self, name) <= 1e-6 for name in ("at_one", "file", "compressed", "stripped")},
        }
        return [name for name, is_kept in kept.items() if not is_kept]


def measure_promise(model: keras.Model, inputs: Any, folder: Path, eagerly: bool = False, include: Any = ()) -> Promise:
    """Returns what holds of the twins of a model, which is given back as it was.

    Args:
        model: built.
        inputs: arrays for a step of training.
        folder: for files.
        eagerly: whether that step runs without a graph, which takes less time where there are many layers.
        include: see `sparsify`.
    """
    twin = sparsify(model, 1.0, include=include)
    at_one = _difference(twin, model, inputs)
    kernels = masked_kernels_of(twin)
    set_masks(twin, make_masks(twin, DENSITY, kernels=kernels))
    before = [array(kernel.variable) for kernel in kernels]
    random = np.random.default_rng(1)
    targets = keras.tree.map_structure(lambda tensor: random.normal(size=tensor.shape), twin(inputs))
    twin.compile(keras.optimizers.SGD(0.01, clipnorm=1.0), "mse", run_eagerly=eagerly, jit_compile=False)
    twin.fit(inputs, targets, verbose=0)
    after = [array(kernel.variable) for kernel in kernels]

    twin.save(folder / "twin.keras")
    save_compressed(twin, folder / "twin.sparse")
    loaded = load_compressed(folder / "twin.sparse")
    compressed = _file_difference(loaded, twin, inputs)
    del loaded
    loaded = keras.models.load_model(folder / "twin.keras", compile=False)
    file = _file_difference(loaded, twin, inputs)
    stripped = strip_masks(loaded, inplace=True)
    weights = sum(math.prod(kernel.shape) for kernel in kernels)
    with _weights_of(twin, model):
        return Promise(
            kernels=len(kernels),
            weights=weights,
            masked=weights / (weights + sum(math.prod(matrix.shape) for matrix in left_dense(twin)[1])),
            own_classes=isinstance(twin, type(model)) and _classes(stripped) == _classes(model),
            at_one=at_one,
            zeros=not any(value[~array(kernel.mask)].any() for kernel, value in zip(kernels, after, strict=True)),
            moved=float(np.mean([not np.array_equal(old, new) for old, new in zip(before, after, strict=True)])),
            file=file,
            compressed=compressed,
            stripped=_difference(stripped, model, inputs),
        )


@contextlib.contextmanager
def _weights_of(twin: keras.Model, model: keras.Model) -> Iterator[None]:
    """Within it, a stock model has the weights and states of its twin, zeros in place."""
    new = {place.path: place.variable for place in variables_at_places(twin)}
    places = list(variables_at_places(model))
    values = [array(place.variable) for place in places]
    for place in places:
        place.variable.assign(new[place.path].value)
    yield
    for place, value in zip(places, values, strict=True):
        place.variable.assign(value)


def _classes(model: keras.Model) -> list[type]:
    return [type(layer) for layer in layers_of(model)]


def _difference(model: keras.Model, other: keras.Model, inputs: Any) -> float:
    """Returns the largest difference between outputs of two models as a share of the largest output."""
    pairs = zip(_outputs(model, inputs), _outputs(other, inputs), strict=True)
    return max(float(np.abs(one - two).max() / np.abs(two).max(initial=1e-30)) for one, two in pairs)


def _outputs(model: keras.Model, inputs: Any) -> list[np.ndarray]:
    return [array(tensor).astype("float64") for tensor in keras.tree.flatten(model(inputs, training=False))]


def _file_difference(loaded: keras.Model, twin: keras.Model, inputs: Any) -> float:
    """Returns the difference between outputs; infinity unless class, masks and kernels are the twin's."""
    values = [{kernel.path: array(kernel.variable) for kernel in kernels_of(model)} for model in (loaded, twin)]
    alike = [
        one.keys() == two.keys() and same(one.values(), two.values())
        for one, two in (values, (masks(loaded), masks(twin)))
    ]
    return (
        _difference(loaded, twin, inputs) if all(alike) and type(loaded).__name__ == type(twin).__name__ else math.inf
    )
