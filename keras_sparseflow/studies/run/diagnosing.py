"""Diagnostics of a run: along its training, and of the trained network."""

from collections.abc import Callable, Iterable
from typing import Any

import keras

from keras_sparseflow.data import ImageData
from keras_sparseflow.data.subsets import balanced_subset
from keras_sparseflow.diagnostics import ActivationSparsity, Hessian, TopEigenvalue, loss_along, loss_surface
from keras_sparseflow.diagnostics.at_epochs import AtEpochs
from keras_sparseflow.flow import measured_epochs
from keras_sparseflow.studies.run.recipe import plain_loss
from keras_sparseflow.studies.run.tweaking import Say
from keras_sparseflow.studies.spec.run_spec import RunSpec

BATCH = 250
"""Images at once; no number depends on it."""

_SUBSET_SEED = 0
"""All runs of a dataset look at the same images."""

Row = dict[str, Any]


class Diagnostics:
    """Measures the diagnostics of a run. Their loss has labels without smoothing, also where the training smooths them.

    Args:
        spec: of the run.
        data: dataset; the same of its images are looked at in each run.
        say: shows what is measured, where that takes long.

    Attributes:
        callbacks: callbacks that measure along the training.
    """

    def __init__(self, spec: RunSpec, data: ImageData, say: Say = lambda _: None):
        self._spec = spec
        self._data = data
        self._say = say
        self.callbacks = self._along_training()

    def rows(self, epoch: int) -> list[Row]:
        """Returns what was measured after an epoch: rows with the keys `DIAGNOSTICS_COLUMNS`."""
        return [row for callback in self.callbacks for row in callback.rows_by_measure(epoch)]

    def of(self, model: keras.Model, epoch: int) -> list[Row]:
        """Returns what is measured along the training of a model that is not trained by `fit`, after an epoch."""
        for callback in self.callbacks:
            callback.set_model(model)
            callback.on_train_begin()
            callback.on_epoch_end(epoch)
        return self.rows(epoch)

    @property
    def has_landscape(self) -> bool:
        """True if anything is measured of the trained network."""
        return self._spec.measurement.landscape_steps is not None

    def landscape(self, model: keras.Model) -> list[Row]:
        """Returns the test losses around a trained network's weights: rows with the keys `LANDSCAPE_COLUMNS`.

        The direction of `loss_along` is the top eigenvector of the loss of training images.
        """
        spec, wanted = self._spec, self._spec.measurement
        if wanted.landscape_steps is None:
            return []
        images = self._images(self._data.test_images, self._data.test_labels)
        options: dict[str, Any] = {"steps": wanted.landscape_steps, "loss": plain_loss(spec), "batch_size": BATCH}
        rows: list[Row] = []
        if "loss_along" in wanted.diagnostics:
            pair = Hessian(model, self._training_images(), plain_loss(spec), batch_size=BATCH).top_eigenpair(
                iterations=wanted.eigenvalue_iterations or 0, seed=spec.seed, progress=self._progress("top eigenvector")
            )
            line = loss_along(model, images, pair.vector, progress=self._progress("loss along it"), **options)
            rows += _rows("loss_along", line["distance"], [0.0] * len(line), line["loss"])
        if "loss_surface" in wanted.diagnostics:
            surface = loss_surface(model, images, seed=spec.seed, progress=self._progress("loss surface"), **options)
            rows += _rows("loss_surface", surface["x"], surface["y"], surface["loss"])
        return rows

    def _along_training(self) -> list[AtEpochs]:
        spec, wanted = self._spec, self._spec.measurement
        if wanted.diagnostic_epochs is None:
            return []
        images = self._training_images()
        epochs = measured_epochs(spec.training.epochs, wanted.diagnostic_epochs)
        callbacks: list[AtEpochs] = []
        if "top_eigenvalue" in wanted.diagnostics:
            callbacks.append(
                TopEigenvalue(
                    images,
                    epochs,
                    loss=plain_loss(spec),
                    batch_size=BATCH,
                    iterations=wanted.eigenvalue_iterations or 0,
                    seed=spec.seed,
                    progress=self._progress("top eigenvalue"),
                )
            )
        if "activation_sparsity" in wanted.diagnostics:
            callbacks.append(ActivationSparsity(images, epochs, batch_size=BATCH))
            if wanted.near_zero is not None:
                tests = self._images(self._data.test_images, self._data.test_labels)
                callbacks.append(ActivationSparsity(tests, epochs, batch_size=BATCH, near_zero=wanted.near_zero))
        return callbacks

    def _training_images(self) -> tuple[Any, Any]:
        return self._images(self._data.train_images, self._data.train_labels)

    def _images(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Returns as many of these as diagnostics look at, the classes as equal in number as they can be."""
        count = min(self._spec.measurement.diagnostic_samples or 0, len(labels))
        chosen = balanced_subset(labels, count, _SUBSET_SEED)
        return images[chosen], labels[chosen]

    def _progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, most: self._say(f"{what}, {done}/{most}")


def _rows(diagnostic: str, *columns: Iterable[float]) -> list[Row]:
    """Returns rows with the keys `LANDSCAPE_COLUMNS` of the columns x, y and loss."""
    return [
        {"diagnostic": diagnostic, "x": float(x), "y": float(y), "loss": float(loss)}
        for x, y, loss in zip(*columns, strict=True)
    ]
