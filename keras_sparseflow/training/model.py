"""A Keras model whose training step masks gradients and can record gradient flow."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.models.functional import Functional
from keras.src.models.model import functional_init_arguments
from keras.src.saving.object_registration import GLOBAL_CUSTOM_NAMES

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.mask.arrays import apply_mask
from keras_sparseflow.layers.mask.slots import follow_masks
from keras_sparseflow.layers.mask.switches import dense_gradients, switches_of
from keras_sparseflow.layers.mask.variables import MaskedVariable
from keras_sparseflow.layers.sparse.providers import operands_of_gradients
from keras_sparseflow.layers.sparse.whole_gradients import Operands
from keras_sparseflow.layers.structure import Kernel
from keras_sparseflow.training.loss_scale import share_overflow
from keras_sparseflow.training.losses import hard_labels
from keras_sparseflow.training.recorder import FlowRecorder, gradients_of_cost, whole_gradients


class _FunctionalTwin:
    """Descriptor that returns a class's functional twin, see `_functional_twin`."""

    def __get__(self, model: Any, cls: type) -> type:
        return _functional_twin(cls)


@keras.saving.register_keras_serializable("keras_sparseflow")
class SparseModel(keras.Model):
    """A Keras model that trains masked layers and can record gradient flow while it trains.

    Build, compile, fit and save it like any `keras.Model`: functional (`SparseModel(inputs, outputs)`) or
    subclassed. The optimizer gets gradient zero for inactive weights, so they and their slots stay exactly
    zero. With a `GradientFlow` callback each training step records the flow of its own batch, without a second
    backward pass. It then also computes the gradients of inactive weights, which raw norms need.

    Example:
        >>> from keras_sparseflow import GradientFlow, MaskedDense
        >>> inputs = keras.Input((4,))
        >>> model = SparseModel(inputs, MaskedDense(2, density=0.5, mask_seed=0)(inputs))
        >>> model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> flow = GradientFlow()
        >>> history = model.fit(tf.ones((8, 4)), tf.zeros(8), epochs=1, verbose=0, callbacks=[flow])
        >>> model.layers[1].active_count, sorted({row["measure"] for row in flow.rows})
        (4, ['egf_1', 'egf_2', 'grad_norm_1', 'grad_norm_2'])
    """

    functional_twin = _FunctionalTwin()
    """Class of the models `SparseModel(inputs, outputs)`; each subclass has its own. Pickle looks for it here."""

    _flow_recorders: tuple[FlowRecorder, ...] = ()
    train_function: Any  # set by Keras: `fit` calls it for each step

    def __init__(self, *args: Any, **kwargs: Any):
        check_tensorflow("SparseModel")
        if functional_init_arguments(args, kwargs):
            # Keras would make this class itself functional for good, and then it could not be subclassed.
            own_class: Any = type(self)
            self.__class__ = _functional_twin(own_class)
            Functional.__init__(self, *args, **kwargs)
        else:
            super().__init__(*args, **kwargs)

    def attach(self, recorder: FlowRecorder) -> None:
        """Records flow with this recorder from the next step on."""
        self._flow_recorders = (*self._flow_recorders, recorder)
        self.make_train_function(force=True)

    def detach(self, recorder: FlowRecorder) -> None:
        """Stops recording with this recorder."""
        self._flow_recorders = tuple(other for other in self._flow_recorders if other is not recorder)
        self.make_train_function(force=True)

    def replace_step(self, function: Callable[[Any], dict[str, Any]]) -> None:
        """Replaces the next training step of `fit` by one call of the function with the iterator of batches."""
        self.train_function = _InsteadOfStep(self, function, self.train_function)

    def make_train_function(self, force: bool = False) -> Any:
        """Makes the train function as Keras does; resets optimizer slots where masks changed since the last call."""
        while isinstance(self.train_function, _InsteadOfStep):  # left by a `fit` that an exception ended
            self.train_function = self.train_function.ordinary
        if self.built:
            if not self.optimizer.built:  # a second build would reset Keras' loss scale
                self.optimizer.build(self.trainable_variables)
            follow_masks(self.optimizer, self.trainable_variables)
        return super().make_train_function(force)

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """Fits as Keras does; also turns dense gradients off, which an exception within a step can leave on."""
        try:
            return super().fit(*args, **kwargs)
        finally:
            for switch in switches_of(self):
                switch.set(False)

    def train_step(self, data: Any) -> dict[str, Any]:
        """Trains on one batch; returns the metrics."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        dense = bool(self._flow_recorders)
        predictions, loss, gradients, scale, _ = self._gradients(x, y, sample_weight, dense)
        variables = self.trainable_variables  # only now: the first call of a subclassed model makes them
        if dense:
            gradients = [_masked(gradient, variable) for gradient, variable in zip(gradients, variables, strict=True)]
        if scale is not None and tf.distribute.has_strategy():
            gradients = share_overflow(gradients)
        self.optimizer.apply(gradients, variables)
        return self._metrics_of(x, y, predictions, sample_weight, loss)

    def test_step(self, data: Any) -> dict[str, Any]:
        """Evaluates one batch as Keras does, but without label smoothing."""
        with hard_labels():
            metrics: dict[str, Any] = super().test_step(data)
        return metrics

    def gradient_step(
        self, data: Any, kernels: Sequence[Kernel], cost: str = "total"
    ) -> tuple[dict[str, Any], tuple[tf.Tensor, ...]]:
        """Computes the gradients on a batch and counts as a step, but changes no trainable weight.

        Args:
            data: a batch, as for `train_step`.
            kernels: the kernels whose gradients are returned.
            cost: "total", or "data" to leave out the weight regularisers.

        Returns:
            The metrics, and the gradient of each effective kernel on the whole batch of all replicas, inactive
            entries included.
        """
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        predictions, loss, gradients, scale, operands = self._gradients(x, y, sample_weight, dense=True)
        by_variable = dict(zip(map(id, self.trainable_variables), gradients, strict=True))
        asked_for = whole_gradients(kernels, [by_variable[id(kernel.variable)] for kernel in kernels], operands)
        if tf.distribute.has_strategy():
            asked_for = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, asked_for)
        self.optimizer.iterations.assign_add(1)
        metrics = self._metrics_of(x, y, predictions, sample_weight, loss)
        return metrics, tuple(gradients_of_cost(cost, kernels, asked_for, scale))

    def _gradients(
        self, x: Any, y: Any, sample_weight: Any, dense: bool
    ) -> tuple[Any, tf.Tensor, list[Any], tf.Tensor | None, Operands]:
        """Returns predictions, loss, the scaled gradient of each trainable variable, its scale, and its operands.

        Args:
            x: inputs.
            y: labels.
            sample_weight: weight of each example, or None.
            dense: whether to compute the gradients of inactive weights; otherwise they are zero. Those of sparse layers
                have none; the operands, of which they can be computed, are kept.
        """
        with tf.GradientTape() as tape:
            predictions = self(x, training=True) if self._call_has_training_arg else self(x)
            loss = self._compute_loss(x, y, predictions, sample_weight, training=True)
            scaled_loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        operands: Operands = {}
        with contextlib.ExitStack() as within:
            if dense:
                within.enter_context(dense_gradients(self))
                operands = within.enter_context(operands_of_gradients())
            gradients = tape.gradient(scaled_loss, [variable.value for variable in variables])
        scale = None if scaled_loss is loss else self.optimizer.scale_loss(tf.ones_like(loss))
        for recorder in self._flow_recorders:
            recorder.record(dict(zip(map(id, variables), gradients, strict=True)), scale, operands)
        return predictions, loss, gradients, scale, operands

    def _metrics_of(self, x: Any, y: Any, predictions: Any, sample_weight: Any, loss: tf.Tensor) -> dict[str, Any]:
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss * self.distribute_strategy.num_replicas_in_sync, sample_weight=_batch_size(x))
        return self.compute_metrics(x, y, predictions, sample_weight)


@dataclasses.dataclass(frozen=True)
class _InsteadOfStep:
    """A train function that replaces one step of `fit` and then restores the ordinary one."""

    model: SparseModel
    function: Callable[[Any], dict[str, Any]]
    ordinary: Callable[[Any], dict[str, Any]]

    def __call__(self, iterator: Any) -> dict[str, Any]:
        self.model.train_function = self.ordinary
        return self.function(iterator)


def _masked(gradient: Any, variable: keras.Variable) -> Any:
    """Returns the gradient of a variable, zero where the variable's mask is False."""
    if gradient is None or not isinstance(variable, MaskedVariable):
        return gradient
    return apply_mask(gradient, variable.mask)


@functools.cache
def _functional_twin(cls: type) -> type:
    """Returns a subclass of `cls` and of Keras' `Functional`, saved and loaded under the name of `cls`."""
    if issubclass(cls, Functional):
        return cls
    attributes = {
        "__doc__": cls.__doc__,
        "__module__": cls.__module__,
        "__qualname__": f"{cls.__qualname__}.functional_twin",  # where pickle finds it, in any process
    }
    twin = type(cls.__name__, (cls, Functional), attributes)
    GLOBAL_CUSTOM_NAMES[twin] = keras.saving.get_registered_name(cls)
    return twin


def _batch_size(x: Any) -> tf.Tensor:
    return tf.shape(keras.tree.flatten(x)[0])[0]
