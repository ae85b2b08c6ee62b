"""Networks of one architecture with stacked variables: each operation trains all of them."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_sparseflow.flow.measures import FlowMeasure, NormMeasure
from keras_sparseflow.flow.tensors import flow_kernels
from keras_sparseflow.layers.mask.arrays import apply_mask
from keras_sparseflow.layers.mask.slots import slots_of
from keras_sparseflow.training.losses import hard_labels
from keras_sparseflow.training.optimizers import decay_kernels, is_kernel
from keras_sparseflow.training.population.elementwise import OptimizerFactory
from keras_sparseflow.training.population.stacked_call import stacked_call
from keras_sparseflow.training.population.stacked_loss import stacked_hits, stacked_losses
from keras_sparseflow.training.recorder import check_cost, find_measures
from keras_sparseflow.training.schedules import Factor, Scheduled, constant
from keras_sparseflow.training.state import check_state, optimizer_state


@dataclass(frozen=True, kw_only=True)
class Member:
    """One network of a stack.

    Args:
        variables: initial values by variable path; a variable left out starts as in the template. A shape may be
            smaller than in the template: the rest is padded with zeros and takes no part.
        shapes: the shape of each of the template's variables in this network, by variable path.
        masks: boolean arrays by kernel path; kernels without one are fully active.
        learning_rate: above 0; the stack's schedule scales it.
        l2: lambda of a loss term whose gradient on each kernel is lambda * kernel; 0 for none.
        decay: lambda by which a step shrinks each kernel by learning rate * lambda * kernel; 0 for none.
        stream: index of the stream of batches that this network sees.

    Example:
        >>> Member(variables={}, shapes={"output/kernel": (2, 1)}, masks={}, learning_rate=0.1).l2
        0.0
    """

    variables: Mapping[str, np.ndarray]
    shapes: Mapping[str, tuple[int, ...]]
    masks: Mapping[str, np.ndarray]
    learning_rate: float
    l2: float = 0.0
    decay: float = 0.0
    stream: int = 0


# Small networks leave a device idle between operations, so many are trained as one: each operation works on tensors
# with a member axis. Narrower members are padded with zeros to the template's shape. A padded unit may still have an
# output (sigmoid(0) is 0.5), so the gradients of padding are set to zero before the optimizer sees them. Otherwise
# padding would train too, and a member would differ from the same network trained alone.
class Stack:
    """Networks that train together: variables, masks and optimizer slots stacked on a leading member axis.

    Every variable has the shape `(members, entries)`, so a learning rate of shape `(members, 1)` gives each
    member its own for variables of any rank. Members are independent: one may diverge, and the rest go on.

    Args:
        template: functional Keras model with the stack's shapes, of stock layers without regularisers. Its
            graph is used, not its weights.
        members: the networks, at least one.
        optimizer: makes the optimizer, which must be elementwise, see `why_not_elementwise`.
        loss: mean loss of a batch, of labels and the template's outputs.
        measures: names in `flow.MEASURES`; none if flow is never measured.
        tensors: tensors that count as layers, see `flow.flow_kernels`.
        cost: "total" or "data", see `FlowRecorder`.
        factor: schedule of the learning rates, see `schedules.Factor`.
        steps: steps of the whole training.

    Example:
        >>> inputs = keras.Input((2,))
        >>> template = keras.Model(inputs, keras.layers.Dense(2, use_bias=False, name="output")(inputs))
        >>> values, shapes = {"output/kernel": np.ones((2, 2))}, {"output/kernel": (2, 2)}
        >>> members = [Member(variables=values, shapes=shapes, masks={}, learning_rate=rate) for rate in (0.1, 0.2)]
        >>> loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        >>> stack = Stack(template, members, keras.optimizers.SGD, loss)
        >>> stack.step(tf.ones((1, 1, 2)), tf.zeros((1, 1), tf.int32), tf.constant(False))
        >>> [state["output/kernel"][0].round(2) for state in stack.states()]
        [array([1.05, 0.95], dtype=float32), array([1.1, 0.9], dtype=float32)]
    """

    def __init__(
        self,
        template: keras.Model,
        members: Sequence[Member],
        optimizer: OptimizerFactory,
        loss: keras.losses.Loss,
        measures: Sequence[str] = (),
        tensors: str = "kernels",
        cost: str = "total",
        factor: Factor = constant,
        steps: int = 1,
    ):
        self.members = [dataclasses.replace(member, variables={}) for member in members]  # the stack holds them now
        self.measures = find_measures(measures) if measures else {}
        self._cost = check_cost(cost)
        self._template = template
        self._loss = loss
        self._weights = template.trainable_variables
        self._shapes = {v.path: tuple(v.shape) for v in template.variables}
        self._stacked = {v.path: _variable(v, self._stacked_values(v, members)) for v in template.variables}
        self._own = {v.path: self._own_entries(v) for v in self._weights}
        self._masks = {v.path: self._stacked_masks(v) for v in self._weights}
        kernels = flow_kernels(template, tensors)
        self.layers = [kernel.path for kernel in kernels]
        self._flow_paths = [kernel.variable.path for kernel in kernels]
        self._streams = tf.constant([member.stream for member in members], tf.int32)
        self._l2 = np.array([[member.l2] for member in members], "float32")
        rates = np.array([[member.learning_rate] for member in members], "float32")
        rate = rates if np.ptp(rates) else rates[0, 0]  # a scalar takes less time than an array
        self._optimizer = optimizer(learning_rate=Scheduled(rate, factor, steps))
        decay = np.array([[member.decay] for member in members], "float32")
        if decay.any():
            decay_kernels(self._optimizer, decay, [self._stacked[v.path] for v in self._weights])
        self._optimizer.build([self._stacked[v.path] for v in self._weights])
        count = len(members)
        self._totals = tf.Variable(tf.zeros((count, 2)), trainable=False)  # of losses and of accuracies
        self._flow = tf.Variable(tf.zeros((count, len(self.measures), len(self.layers) + 1)), trainable=False)

    # --- in the graph -------------------------------------------------------------------------------------------

    def step(self, images: tf.Tensor, labels: tf.Tensor, measured: tf.Tensor) -> None:
        """Trains every member on one batch.

        Args:
            images: a batch of each stream, shape `(streams, batch, ...)`.
            labels: their labels, shape `(streams, batch)`.
            measured: boolean scalar, whether flow is computed and recorded.
        """
        batches = tf.gather(images, self._streams), tf.gather(labels, self._streams)
        losses, accuracies, statistics, gradients = self._gradients(*batches, training=True)
        losses += self._penalties()
        if self.measures:
            tf.cond(measured, lambda: self._record(gradients), tf.no_op)
        total = self._with_penalty(gradients)
        steps = [self._masked(total[v.path], v.path) for v in self._weights]
        with tf.control_dependencies(list(gradients.values())):  # weights are written in place, so after all reads
            self._optimizer.apply(steps, [self._stacked[v.path] for v in self._weights])
        for path, values in statistics.items():
            self._stacked[path].assign(tf.reshape(values, self._stacked[path].shape))
        self._totals.assign_add(tf.stack([losses, accuracies], axis=1))

    def evaluate(self, images: tf.Tensor, labels: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
        """Returns each member's sums of losses and of right answers over one shared batch, shape `(members, 2)`.

        Args:
            images: shape `(batch, ...)`.
            labels: shape `(batch,)`.
            counted: shape `(batch,)`, 1 for each image that is summed and 0 for any other.
        """
        outputs, _ = stacked_call(self._template, self._values(), images[None], training=False)
        with hard_labels():
            losses = stacked_losses(self._loss, labels[None], outputs, counted) * labels.shape[0]
        losses += self._penalties() * tf.reduce_sum(counted)
        return tf.stack([losses, tf.reduce_sum(stacked_hits(labels[None], outputs) * counted, axis=1)], axis=1)

    def probe(self, images: tf.Tensor, labels: tf.Tensor, training: bool) -> list[tf.Tensor]:
        """Returns the gradients of the data's loss on one shared batch, one for each measured layer."""
        gradients = self._gradients(images[None], labels[None], training=training)[-1]
        return [gradients[path] for path in self._flow_paths]

    def no_gradients(self) -> list[tf.Tensor]:
        """Returns zeros in the shapes of `probe`'s gradients."""
        return [tf.zeros_like(self._stacked[path].value) for path in self._flow_paths]

    def flow_of(self, gradients: Sequence[tf.Tensor]) -> tf.Tensor:
        """Returns the measures of gradients as `probe` gives them, shape `(members, measures, layers + 1)`."""
        return self._table(dict(zip(self._flow_paths, gradients, strict=True)))

    # --- between calls ------------------------------------------------------------------------------------------

    def start_epoch(self) -> None:
        """Sets the totals of the epoch to zero."""
        self._totals.assign(tf.zeros_like(self._totals))
        self._flow.assign(tf.zeros_like(self._flow))

    def epoch_means(self, steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns the means over an epoch's steps: loss and accuracy `(members, 2)`, and flow, see `flow_of`."""
        return self._totals.numpy() / np.float32(steps), self._flow.numpy() / np.float32(steps)

    def states(self) -> list[dict[str, np.ndarray]]:
        """Returns each member's state without padding, by the names that `network_state` gives the network alone."""
        arrays = {name: (path, variable.numpy()) for name, (path, variable) in self._kept().items()}
        counters = {name: np.asarray(variable) for name, variable in self._counters().items()}
        return [
            {
                **{name: self._unpadded(path, array[index], member) for name, (path, array) in arrays.items()},
                **{mask_path(path): mask for path, mask in member.masks.items()},
                **counters,
            }
            for index, member in enumerate(self.members)
        ]

    def restore(self, states: Sequence[Mapping[str, np.ndarray] | None], where: Sequence[object]) -> None:
        """Restores members from what `states` returned.

        Args:
            states: one for each member, in the order of the members; None, not for all, leaves a member as it is.
            where: place of each state, for messages.

        Raises:
            ValueError: a state is of another network, or has another mask; nothing is changed then.
        """
        now = self.states()
        given = [own if state is None else state for state, own in zip(states, now, strict=True)]
        for state, own, member, place in zip(given, now, self.members, where, strict=True):
            check_state(state, {name: array.shape for name, array in own.items()}, place)
            for path, mask in member.masks.items():
                if not np.array_equal(state[mask_path(path)], mask):
                    raise ValueError(
                        f"The checkpoint in {place} has another mask for {path!r} than the network's seed gives here. "
                        "Remove that folder."
                    )
        for name, (path, variable) in self._kept().items():
            variable.assign(np.stack([_padded(state[name], self._shapes[path]).ravel() for state in given]))
        for name, counter in self._counters().items():
            counter.assign(next(state for state in states if state is not None)[name])

    # --- parts --------------------------------------------------------------------------------------------------

    def _gradients(self, images: tf.Tensor, labels: tf.Tensor, *, training: bool) -> Any:
        """Returns losses, accuracies, changed statistics, and the gradients of the data's loss, the last two by path.

        Args:
            images: shape `(members, batch, ...)`, or `(1, batch, ...)` for a shared batch.
            labels: shape `(members, batch)`, or `(1, batch)`.
            training: whether layers run in training mode.
        """
        values = self._values()
        weights = [values[v.path] for v in self._weights]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            outputs, statistics = stacked_call(self._template, values, images, training=training)
            losses = stacked_losses(self._loss, labels, outputs)
            total = tf.reduce_sum(losses)
        gradients = tape.gradient(total, weights, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        flat = {v.path: tf.reshape(g, (len(self.members), -1)) for v, g in zip(self._weights, gradients, strict=True)}
        return losses, tf.reduce_mean(stacked_hits(labels, outputs), axis=1), statistics, flat

    def _values(self) -> dict[str, tf.Tensor]:
        """Returns the variables by path, of shape `(members, *template_shape)`."""
        return {path: self._shaped(variable.value, path) for path, variable in self._stacked.items()}

    def _shaped(self, entries: tf.Tensor, path: str) -> tf.Tensor:
        """Returns entries of shape `(members, entries)` as `(members, *template_shape)`."""
        return tf.reshape(entries, (len(self.members), *self._shapes[path]))

    def _with_penalty(self, gradients: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns the gradients plus those of the members' L2 terms."""
        if not self._l2.any():
            return gradients
        return {
            path: g + self._l2 * self._stacked[path].value if is_kernel(path) else g for path, g in gradients.items()
        }

    def _penalties(self) -> tf.Tensor:
        """Returns each member's L2 term of the loss, shape `(members,)`."""
        if not self._l2.any():
            return tf.zeros(len(self.members))
        kernels = [variable.value for path, variable in self._stacked.items() if is_kernel(path)]
        return self._l2[:, 0] / 2 * tf.add_n([tf.reduce_sum(tf.square(kernel), axis=1) for kernel in kernels])

    def _table(self, gradients: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns the measures of gradients of the data's loss, shape `(members, measures, layers + 1)`."""
        if self._cost == "total":
            gradients = self._with_penalty(gradients)
        all_active = [None] * len(self._flow_paths)
        whole = [self._shaped(self._of_own_entries(gradients[path], path), path) for path in self._flow_paths]
        active = [self._shaped(self._masked(gradients[path], path), path) for path in self._flow_paths]

        def values(measure: FlowMeasure) -> tf.Tensor:
            if isinstance(measure, NormMeasure):  # for a norm, zeros are as good as entries left out
                return measure.of_stack(active if measure.masked else whole, all_active)
            return measure.of_stack(whole, [self._boolean_mask(path) for path in self._flow_paths])

        return tf.stack([values(measure) for measure in self.measures.values()], axis=1)

    def _boolean_mask(self, path: str) -> tf.Tensor | None:
        mask = self._masks[path]
        return None if mask is None else self._shaped(tf.cast(mask, tf.bool), path)

    def _record(self, gradients: dict[str, tf.Tensor]) -> tf.Operation:
        self._flow.assign_add(self._table(gradients))
        return tf.no_op()

    def _of_own_entries(self, gradient: tf.Tensor, path: str) -> tf.Tensor:
        """Returns a gradient, zero on padding: the output of a padded unit gives its row of a kernel a gradient."""
        return gradient if self._own[path] is None else apply_mask(gradient, self._own[path])

    def _masked(self, gradient: tf.Tensor, path: str) -> tf.Tensor:
        """Masks as `apply_mask` does, NaN and infinity too, but faster on a CPU: see docs/performance.md."""
        mask = self._masks[path]
        return gradient if mask is None else tf.math.multiply_no_nan(gradient, mask)

    def _kept(self) -> dict[str, tuple[str, keras.Variable]]:
        """Returns stacked variables and slots by name, each with the path of the variable whose shape it has."""
        return {**{path: (path, variable) for path, variable in self._stacked.items()}, **self._slots()}

    def _slots(self) -> dict[str, tuple[str, keras.Variable]]:
        """Returns the optimizer's slots by name, each with the path of its weight."""
        weight_of = {
            id(slot): v.path for v in self._weights for slot in slots_of(self._optimizer, self._stacked[v.path])
        }
        state = optimizer_state(self._optimizer)
        return {name: (weight_of[id(slot)], slot) for name, slot in state.items() if id(slot) in weight_of}

    def _counters(self) -> dict[str, keras.Variable]:
        """Returns the optimizer's variables that all members share, such as its number of steps."""
        slots = self._slots()
        return {name: v for name, v in optimizer_state(self._optimizer).items() if name not in slots}

    # --- padding ------------------------------------------------------------------------------------------------

    def _stacked_values(self, variable: keras.Variable, members: Sequence[Member]) -> np.ndarray:
        template = keras.ops.convert_to_numpy(variable)

        def values(member: Member) -> np.ndarray:
            own = member.variables.get(variable.path)
            corner = tuple(slice(size) for size in member.shapes[variable.path])
            return _padded(template[corner] if own is None else own, variable.shape)

        return np.stack([values(member).ravel() for member in members])

    def _stacked_masks(self, variable: keras.Variable) -> tf.Tensor | None:
        def mask(member: Member) -> np.ndarray:
            own = member.masks.get(variable.path)
            return _padded(np.ones(member.shapes[variable.path], bool) if own is None else own, variable.shape)

        active = _unless_all_true([mask(member) for member in self.members])
        return None if active is None else tf.cast(active, variable.dtype)

    def _own_entries(self, variable: keras.Variable) -> tf.Tensor | None:
        sizes = [member.shapes[variable.path] for member in self.members]
        return _unless_all_true([_padded(np.ones(size, bool), variable.shape) for size in sizes])

    def _unpadded(self, path: str, values: np.ndarray, member: Member) -> np.ndarray:
        corner = tuple(slice(size) for size in member.shapes[path])
        return values.reshape(self._shapes[path])[corner].copy()


def mask_path(kernel_path: str) -> str:
    """Returns the path of the mask variable that a masked layer keeps beside its kernel.

    Args:
        kernel_path: path of the layer's kernel.

    Example:
        >>> mask_path("hidden/kernel")
        'hidden/mask'
    """
    return f"{kernel_path.rpartition('/')[0]}/mask"


def _variable(variable: keras.Variable, values: np.ndarray) -> keras.Variable:
    """Returns a variable with the template's path, by which the optimizer names slots."""
    scope, _, name = variable.path.rpartition("/")
    with keras.name_scope(scope):
        return keras.Variable(values, dtype=variable.dtype, trainable=variable.trainable, name=name)


def _padded(values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    return np.pad(values, [(0, size - own) for size, own in zip(shape, values.shape, strict=True)])


def _unless_all_true(masks: Sequence[np.ndarray]) -> tf.Tensor | None:
    stacked = np.stack([mask.reshape(prod(mask.shape)) for mask in masks])
    return None if stacked.all() else tf.convert_to_tensor(stacked)
