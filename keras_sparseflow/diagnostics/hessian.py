"""The Hessian of a model's loss over its active weights: products with it, and its top eigenvalue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.checks import check_seed
from keras_sparseflow.diagnostics.example_batches import batches_of
from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.masks.scores.examples import Batch
from keras_sparseflow.masks.scores.gradients import gradients_of_parts
from keras_sparseflow.masks.scores.objective import Part
from keras_sparseflow.masks.scores.tracing import graph_function
from keras_sparseflow.training.tost.loss_at import LossAt, as_arrays


@dataclass(frozen=True)
class Eigenpair:
    """An eigenvalue of a Hessian and its eigenvector, as power iteration found them.

    Args:
        value: the eigenvalue; NaN where the loss or a derivative is not finite.
        vector: by path, such as `hidden/kernel`, the part of each weight; its 2-norm is 1 over all parts together,
            and it is zero where a mask is False.
        iterations: number of products with the Hessian.
        residual: the 2-norm of H v - value * v; 0 for an exact pair.
        converged: whether the value changed by less than the tolerance in the end.

    Example:
        >>> vector = {"output/kernel": np.array([[0.6], [0.8]])}
        >>> pair = Eigenpair(20.0, vector, iterations=3, residual=0.0, converged=True)
        >>> pair.value, pair.converged
        (20.0, True)
    """

    value: float
    vector: dict[str, np.ndarray]
    iterations: int
    residual: float
    converged: bool


class Hessian:
    """The Hessian of the mean loss over data with respect to a model's active weights.

    Rows and columns of masked entries are left out, and so are weight regularisers. Nothing of the model changes. The
    computation is traced once; each product reads weights, masks and BatchNorm statistics anew.

    Args:
        model: built, with masked or stock layers.
        data: arrays `(x, y)` or `(x, y, sample_weight)`, a `tf.data.Dataset` of such batches that ends, or a list of
            batches; it is read once.
        loss: None for the model's compiled one, else cross-entropy of logits.
        tensors: "all" trained weights or the "kernels" among them.
        training: whether layers such as BatchNorm and dropout run in training mode, in which BatchNorm normalises each
            batch by itself.
        batch_size: examples in a batch where data are arrays.

    Raises:
        ValueError: data or loss do not fit, the model trains no such weight, or it computes in float16.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False, name="output")])
        >>> model.set_weights([np.array([[2.0], [1.0]])])
        >>> data = np.array([[1.0, 3.0]]), np.array([[1.0]])
        >>> hessian = Hessian(model, data, loss="mse")
        >>> round(hessian.top_eigenpair().value, 3)
        20.0
        >>> hessian.product({"output/kernel": np.array([[1.0], [0.0]])})["output/kernel"].tolist()
        [[2.0], [6.0]]

    References:
        Yao, Gholami, Keutzer, Mahoney 2020, PyHessian: Neural Networks Through the Lens of the Hessian. As there, the
        default is inference mode and all weights.
    """

    def __init__(
        self,
        model: keras.Model,
        data: Any,
        loss: Any = None,
        tensors: str = "all",
        training: bool = False,
        batch_size: int = 256,
    ):
        check_tensorflow("Hessian")
        self._loss = LossAt(model, loss, tensors, training)
        self._batches = batches_of(data, batch_size)
        self._compiled = graph_function(self._batch_product)

    @property
    def paths(self) -> list[str]:
        """The paths of the weights, in the model's order."""
        return list(self._loss.weights)

    def product(self, vector: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Returns H v, in which entries are zero where a mask is False; such entries of v are taken for zero.

        Args:
            vector: by path, an array of the shape of each weight.

        Raises:
            ValueError: the paths are not those of the weights.
        """
        if set(vector) != set(self.paths):
            odd = sorted(set(vector) ^ set(self.paths))
            raise ValueError(
                f"`vector` must have a part for each of {', '.join(self.paths)} and no other; {odd[0]!r} is "
                f"{'missing' if odd[0] in self.paths else 'not among them'}."
            )
        values = self._loss.values()
        parts = [tf.convert_to_tensor(vector[path], v.dtype) for path, v in zip(self.paths, values, strict=True)]
        return self._by_path(self._product(self._loss.masked(parts)))

    def top_eigenpair(
        self,
        tolerance: float = 1e-3,
        iterations: int = 100,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> Eigenpair:
        """Returns the eigenvalue of largest absolute value, by power iteration from a random vector.

        Each iteration takes the Rayleigh quotient of v and continues with H v / ||H v||. The eigenvalue is negative
        where the loss curves down more than up. The residual stays large if another eigenvalue has nearly the same
        absolute value.

        Args:
            tolerance: above 0; the iteration ends when the value changes by at most this share of itself, and the
                residual is at most the value times the share's root.
            iterations: at least 1, largest number of products with the Hessian.
            seed: int, at least 0, seed of the first vector, which has normal entries where weights are active.
            progress: called with the number of iterations done, and `iterations`.

        Raises:
            ValueError: an argument out of its range.
        """
        if not tolerance > 0 or iterations < 1:
            raise ValueError(
                f"`tolerance` must be above 0 and `iterations` at least 1; received {tolerance} and {iterations}."
            )
        vector = self._random_vector(check_seed(seed))
        before = value = residual = float("nan")
        done, converged = 0, False
        # Power iteration needs only products H v, each a gradient of the inner product of gradient and v, so the
        # Hessian, weights times weights, is never held. A value that has settled is no proof: with two eigenvalues of
        # one size and opposite signs, v alternates and the value stays between them. The residual tells; its bound is
        # the root of the tolerance, for the error of a Rayleigh quotient grows with the square of the residual.
        while done < iterations and not converged:
            product = self._product(vector)
            value = float(_dot(product, vector))
            residual = float(_norm([p - value * v for p, v in zip(product, vector, strict=True)]))
            done += 1
            if progress is not None:
                progress(done, iterations)
            length = _norm(product)
            if not np.isfinite(float(length)):
                return Eigenpair(float("nan"), self._by_path(vector), done, float("nan"), False)
            settled = abs(value - before) <= tolerance * abs(value) and residual**2 <= tolerance * value**2
            converged = float(length) == 0 or settled
            if not converged and done < iterations:
                before, vector = value, [part / tf.cast(length, part.dtype) for part in product]
        return Eigenpair(value, self._by_path(vector), done, residual, converged)

    def _random_vector(self, seed: int) -> list[tf.Tensor]:
        generator = np.random.default_rng(seed)
        drawn = [tf.constant(generator.standard_normal(v.shape), v.dtype) for v in self._loss.values()]
        active = self._loss.masked(drawn)
        length = _norm(active)
        return [part / tf.cast(length, part.dtype) for part in active]

    def _product(self, vector: list[tf.Tensor]) -> list[tf.Tensor]:
        """Returns H v for a vector that is zero where a mask is False."""
        return self._loss.over_examples(self._batches, lambda batch: self._compiled(vector, batch))

    def _batch_product(self, vector: list[tf.Tensor], batch: Batch) -> list[tuple[list[tf.Tensor], Any]]:
        values = self._loss.values()

        def slopes() -> list[Part]:
            return [
                Part(_dot(gradients, vector), weight)
                for gradients, weight in self._loss.gradients_of_parts(values, batch)
            ]

        found = gradients_of_parts(slopes, values, batch)
        return [(self._loss.masked(products), weight) for products, weight in found]

    def _by_path(self, tensors: list[tf.Tensor]) -> dict[str, np.ndarray]:
        return dict(zip(self.paths, as_arrays(tensors), strict=True))


def _dot(one: list[tf.Tensor], other: list[tf.Tensor]) -> tf.Tensor:
    """Returns the inner product of two vectors in parts, in float32 at least."""
    common = tf.float64 if any(part.dtype == tf.float64 for part in one) else tf.float32
    pairs = zip(one, other, strict=True)
    return tf.add_n([tf.reduce_sum(tf.cast(a, common) * tf.cast(b, common)) for a, b in pairs])


def _norm(vector: list[tf.Tensor]) -> tf.Tensor:
    return tf.sqrt(_dot(vector, vector))
