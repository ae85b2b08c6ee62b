"""Layers that store the active weights of their kernel alone, and compute with no others."""

import dataclasses
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.mask.arrays import check_mask
from keras_sparseflow.layers.mask.slots import map_slots
from keras_sparseflow.layers.masked import MaskedKernel
from keras_sparseflow.layers.sparse.places import Places, check_indices, indices_of, moved
from keras_sparseflow.layers.sparse.providers import multiply

_PLACED = ("pairs", "unit_pairs", "order")
"""Attributes of places that a layer holds as variables for TensorFlow's kernels."""


class SparseMask:
    """The mask of a sparse kernel, as others read and set it; made of the places of active weights when it is read.

    Attributes:
        shape: of the kernel.
        dtype: "bool".
        places: see `SparseKernel`.
    """

    dtype = "bool"

    def __init__(self, layer: Any, shape: tuple[int, ...], places: Places):
        self._layer, self.shape, self.places = layer, shape, places

    def assign(self, mask: Any) -> None:
        """Replaces the mask, see `SparseKernel.set_mask`."""
        self._layer.set_mask(mask)

    def move(self, places: Places) -> None:
        """Changes the places of active weights."""
        self.places = places
        if hasattr(self._layer, "pairs"):
            for name in _PLACED:
                getattr(self._layer, name).assign(getattr(places, name))

    def pair_tensors(self) -> list[Any]:
        """Returns `pairs`, `unit_pairs` and `order` of the places as tensors, read when a graph runs.

        TensorFlow's kernels need them, and to compute them in each call takes as long as the product.
        """
        import tensorflow as tf

        if not hasattr(self._layer, "pairs"):
            with tf.init_scope():
                for name in _PLACED:
                    setattr(self._layer, name, tf.Variable(getattr(self.places, name), trainable=False))
        return [getattr(self._layer, name).read_value() for name in _PLACED]

    def served(self) -> tuple[Any, Any]:
        """Returns the unit and the input of each active weight, and its value, in the order of units, as tensors.

        A model that is served computes with the same weights again and again, and a product by rows is the fastest. The
        layer keeps the variables as an attribute, so that TensorFlow exports them.
        """
        import tensorflow as tf

        at, held = self.places, getattr(self._layer, "served", None)
        with tf.init_scope():
            values = ops.convert_to_numpy(self._layer.values)[at.order]
            if held is None or held.places is not at or not np.array_equal(held.values, values):
                held = self._layer.served = tf.Module()
                held.places = at
                held.pairs, held.values = (tf.Variable(a, trainable=False) for a in (at.unit_pairs, values))
        return held.pairs.read_value(), held.values.read_value()

    def index_tensor(self) -> Any:
        """Returns the places of active weights as a tensor of shape `(active, 1)`, read when a graph runs."""
        import tensorflow as tf

        return tf.convert_to_tensor(self._layer.indices)[:, None]

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Any:
        import tensorflow as tf

        places = self.index_tensor()
        ones = tf.ones(tf.shape(places)[:1], tf.int8)  # kernels of TensorFlow that scatter booleans are few
        return tf.cast(tf.reshape(tf.scatter_nd(places, ones, [math.prod(self.shape)]), self.shape), tf.bool)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        mask = np.zeros(self.shape, bool)
        mask.reshape(-1)[self.places.indices] = True
        return mask if dtype is None else mask.astype(dtype)


class SparseValues(keras.Variable):
    """The active weights of a kernel, in the order of their places in it.

    Attributes:
        mask: see `SparseMask`.
    """

    mask: SparseMask
    _slots_at: np.ndarray | None = None
    """Places of the weights that optimizer slots still belong to; None if they are those of the values."""

    def dense(self, values: Any = None) -> np.ndarray:
        """Returns values of active weights, by default these, in an array of the kernel's shape, zeros elsewhere."""
        values = ops.convert_to_numpy(self if values is None else values)
        array = np.zeros(math.prod(self.mask.shape), values.dtype)
        array[self.mask.places.indices] = values
        return array.reshape(self.mask.shape)

    def of_dense(self, array: Any) -> np.ndarray:
        """Returns the entries of an array of the kernel's shape at the places of active weights."""
        return ops.convert_to_numpy(array).reshape(-1)[self.mask.places.indices]

    def follow_slots(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Moves an optimizer's slots to where the weights are; those of new weights get their first values."""
        if self._slots_at is None:
            return
        before, after = self._slots_at, self.mask.places.indices
        map_slots(optimizer, self, lambda slot, first: moved(ops.convert_to_numpy(slot), before, after, first))
        self._slots_at = None


class _Indices(keras.Variable):
    """The places of a layer's active weights; the layer's mask follows what is assigned."""

    mask: SparseMask

    def assign(self, value: Any) -> Any:
        """Replaces the places.

        Raises:
            ValueError: they do not ascend, or are not within the kernel.
        """
        checked = check_indices(ops.convert_to_numpy(value), self.mask.shape, self.shape[0])
        assigned = super().assign(checked)
        self.mask.move(dataclasses.replace(self.mask.places, indices=checked))
        return assigned


class SparseKernel(MaskedKernel):
    """Mixin of layers that store the active weights of their kernel alone: memory and time follow the density.

    A forward pass, and both gradients, multiply active weights only. The kernels of Numba (extra `fast`) are used where
    it is installed and TensorFlow sees no GPU, else TensorFlow's own. Masks can change, if as many weights stay active.
    XLA does not compile such a layer.

    Args:
        density: float in [0, 1], see `MaskedKernel`; the same density and seed give the same mask.
        mask_seed: int or None, see `MaskedKernel`.

    Attributes:
        values: trainable variable of shape `(active,)`, the active weights in the order of the kernel's entries.
        indices: integer variable of shape `(active,)`, their ascending places in the flat kernel.

    Example:
        >>> class SparseDense(SparseKernel, keras.layers.Dense):
        ...     pass
        >>> layer = SparseDense(3, density=0.5, mask_seed=0, kernel_initializer="ones")
        >>> layer.build((None, 2))
        >>> layer.values.numpy().tolist(), layer.indices.numpy().tolist() == np.flatnonzero(layer.mask).tolist()
        ([1.0, 1.0, 1.0], True)
    """

    mask: Any
    stored_kernel: Any
    values: SparseValues
    indices: keras.Variable

    def __init__(self, *args: Any, **kwargs: Any):
        check_tensorflow(type(self).__name__)
        super().__init__(*args, **kwargs)
        self.supports_jit = False
        why = self.why_not_sparse(self)
        if why is not None:
            raise ValueError(f"{type(self).__name__} {self.name!r} cannot be sparse: {why}.")

    @classmethod
    def why_not_sparse(cls, layer: Any) -> str | None:
        """Returns why a layer's kernel cannot be stored by its active weights; None if it can."""
        regularizer = getattr(layer, "kernel_regularizer", None)
        if regularizer is not None and type(regularizer) not in _ELEMENTWISE_REGULARIZERS:
            return f"{type(regularizer).__name__} looks at the whole kernel"
        constraint = getattr(layer, "kernel_constraint", None)
        if constraint is not None and type(constraint) is not keras.constraints.NonNeg:
            return f"{type(constraint).__name__} looks at the whole kernel"
        if layer.dtype_policy.variable_dtype != "float32":
            return f"its kernel is of {layer.dtype_policy.variable_dtype}, not float32"
        if getattr(layer, "lora_enabled", False) or getattr(layer, "lora_rank", None):
            return "LoRA adds a dense product to its kernel"
        return None

    @property
    def places(self) -> Places:
        """The places of active weights in the orders that kernels need."""
        self._check_built("places")
        places: Places = self.mask.places
        return places

    @property
    def mask_variables(self) -> list[keras.Variable]:
        """The variables that hold the mask."""
        return [self.indices] if hasattr(self, "indices") else []

    @property
    def active_count(self) -> int:
        """Number of active entries of the kernel; the layer must be built."""
        self._check_built("active_count")
        return int(self.values.shape[0])

    @property
    def kernel(self) -> Any:
        """The kernel as a tensor of its whole shape, made when it is read."""
        self._check_built("kernel")
        import tensorflow as tf

        flat = tf.scatter_nd(
            self.mask.index_tensor(), tf.convert_to_tensor(self.values.value), [math.prod(self.mask.shape)]
        )
        return tf.reshape(flat, self.mask.shape)

    @kernel.setter
    def kernel(self, variable: Any) -> None:
        raise AttributeError(
            f"`kernel` of the sparse layer {self.name!r} is made of `values` when it is read. Change its values by "
            "`layer.values.assign(values)` and its mask by `layer.set_mask(mask)`."
        )

    def set_mask(self, mask: Any, optimizer: keras.optimizers.Optimizer | None = None) -> None:
        """Replaces the mask by one with as many active weights; new weights start at zero.

        Args:
            mask: array of the kernel's shape, boolean or of zeros and ones.
            optimizer: see `MaskedKernel.set_mask`.

        Raises:
            ValueError: the mask has another shape, another value, or another number of active weights.
            AttributeError: the layer is not built.
        """
        self._check_built("set_mask")
        after = indices_of(check_mask(mask, self.mask.shape))
        if after.size != self.active_count:
            raise ValueError(
                f"`mask` of the sparse layer {self.name!r} must keep {self.active_count} weights active; received "
                f"{after.size}. Change the mask of what `to_masked(model)` returns, and call `to_sparse` on that."
            )
        before, values = self.places.indices, ops.convert_to_numpy(self.values)
        self.indices.assign(after)
        self.values.assign(moved(values, before, after))
        if self.values._slots_at is None:
            self.values._slots_at = before
        if optimizer is not None:
            self.values.follow_slots(optimizer)

    def enable_lora(self, *args: Any, **kwargs: Any) -> None:
        """Refuses LoRA.

        Raises:
            ValueError: always.
        """
        raise ValueError(f"The sparse layer {self.name!r} cannot have LoRA: `to_masked(model)` gives layers that can.")

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """Adds a weight as the stock layer does; of the kernel, the values and places of its active weights."""
        if kwargs.get("name") != "kernel":
            return super().add_weight(*args, **kwargs)
        shape = tuple(kwargs["shape"])
        given = self._given_mask
        indices = indices_of(self._seeded_mask(shape) if given is None else check_mask(given, shape))
        initializer = keras.initializers.get(kwargs.pop("initializer"))

        def active(_: Any, dtype: Any = None) -> Any:
            return ops.take(ops.reshape(initializer(shape, dtype=dtype), (-1,)), indices)

        add: Any = keras.layers.Layer.add_weight
        own = {**kwargs, "shape": indices.shape, "initializer": active, "autocast": False}
        self.hold(add(self, *args, **own), indices, shape)
        return self.values

    def hold(self, values: keras.Variable, indices: np.ndarray, shape: tuple[int, ...]) -> None:
        """Takes a variable of active weights as this layer's, and makes that of their places.

        Args:
            values: variable of shape `(active,)`.
            indices: their places in the kernel.
            shape: of the kernel.
        """
        self.indices = keras.layers.Layer.add_weight(
            self,
            name="indices",
            shape=indices.shape,
            dtype="int32",
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(indices),
            trainable=False,
        )
        holder: Any = values
        variable: Any = self.indices
        size, inputs = math.prod(shape), math.prod(shape[: self.inner_axes(shape)])
        self.mask = SparseMask(self, shape, Places(indices, inputs, size // max(1, inputs)))
        holder.__class__, holder.mask = SparseValues, self.mask
        variable.__class__, variable.mask = _Indices, self.mask
        self.stored_kernel = self.values = holder

    def save_own_variables(self, store: Any) -> None:
        """Saves the active weights, the layer's other variables, and the places."""
        for number, variable in enumerate(self._saved() if self.built else ()):
            store[str(number)] = variable

    def load_own_variables(self, store: Any) -> None:
        """Loads what `save_own_variables` saved.

        Raises:
            ValueError: the store has another number of weights, or another number of active ones.
        """
        saved, keys = self._saved(), list(store.keys())
        if len(keys) != len(saved) or tuple(store[keys[0]].shape) != tuple(saved[0].shape):
            raise ValueError(
                f"A file of weights must hold {len(saved)} arrays for the sparse layer {self.name!r}, the first of "
                f"{self.active_count} active weights; received {len(keys)}, the first of shape "
                f"{tuple(store[keys[0]].shape) if keys else None}. Load weights of a masked model before `to_sparse`."
            )
        for number, variable in reversed(list(enumerate(saved))):  # places first
            variable.assign(store[str(number)])

    def set_weights(self, weights: Any) -> None:
        """Sets all weights, the places of the active ones included."""
        keras.layers.Layer.set_weights(self, weights)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns what the stock layer would with the whole kernel."""
        outputs = self._product(inputs)
        return outputs if self.activation is None else self.activation(outputs)

    def _product(self, inputs: Any) -> Any:
        """Returns the inputs times the kernel, with the bias."""
        free = ops.shape(inputs)[: len(inputs.shape) - self.input_axes()]
        outer = self.mask.shape[self.inner_axes(self.mask.shape) :]
        flat, bias = ops.reshape(inputs, (-1, self.mask.places.inputs)), self.bias
        of_units = bias is not None and len(bias.shape) <= len(outer)  # that of EinsumDense may be of free axes
        row = ops.reshape(ops.broadcast_to(bias, outer), (-1,)) if of_units else None
        outputs = ops.reshape(multiply(flat, self.values, row, self.mask), (*free, *outer))
        return outputs if bias is None or of_units else ops.add(outputs, bias)

    def inner_axes(self, kernel_shape: tuple[int, ...]) -> int:
        """Returns how many of the kernel's first axes are summed over; the others are those of the outputs."""
        return len(kernel_shape) - 1

    def input_axes(self) -> int:
        """Returns how many of the inputs' last axes are summed over."""
        return 1

    def _saved(self) -> list[keras.Variable]:
        own = [*self._trainable_variables, *self._non_trainable_variables]
        return [self.values, *(v for v in own if v is not self.values and v is not self.indices), self.indices]


_ELEMENTWISE_REGULARIZERS = (keras.regularizers.L1, keras.regularizers.L2, keras.regularizers.L1L2)
"""Regularizers to which inactive weights, which are zero, add nothing."""
