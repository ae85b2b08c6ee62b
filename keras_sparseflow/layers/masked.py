"""The stock Keras layers with a mask on their kernel.

Every layer takes the arguments of its stock twin, plus `density` and `mask_seed`, and trains under a
plain `compile` / `fit`: whatever the optimizer, inactive entries of the stored kernel are exactly
zero before and after any number of steps.
"""

import random
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.kernels import (
    active_count,
    apply_mask,
    check_density,
    check_mask,
    decode_mask,
    effective_kernel,
    encode_mask,
    random_mask,
)


class MaskedKernel(keras.layers.Layer):
    """Mixin that puts a mask on the kernel of the stock layer named after it.

    It overrides where the layer makes its kernel (`add_weight`) and where it reads it (`kernel`),
    and nothing of `call`: `class MaskedDense(MaskedKernel, keras.layers.Dense)`.

    Args:
        density: float in [0, 1], the share of the kernel's entries that are active. The mask is
            drawn at random when the layer is built and has exactly round(density * size) active
            entries.
        mask_seed: int, what the random mask depends on, together with the kernel's shape. None
            draws one (from Python's generator, which `keras.utils.set_random_seed` sets); the
            layer's config holds it, so a clone of the layer has the same mask.

    Attributes:
        mask: boolean non-trainable variable of the kernel's shape; True is active. Change it with
            `set_mask`.

    Example:
        >>> class MaskedConv2D(MaskedKernel, keras.layers.Conv2D):
        ...     pass
        >>> layer = MaskedConv2D(4, 3, density=0.5, mask_seed=0)
        >>> layer.build((None, 8, 8, 2))
        >>> tuple(layer.mask.shape), layer.active_count
        ((3, 3, 2, 4), 36)
        >>> layer.set_mask(np.ones((3, 3, 2, 4), bool))
        >>> layer.density
        1.0
    """

    mask: keras.Variable
    _kernel: keras.Variable

    def __init__(self, *args: Any, density: float = 1.0, mask_seed: int | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._requested_density = check_density(density)
        self.mask_seed = random.randrange(2**31) if mask_seed is None else mask_seed
        self._given_mask: np.ndarray | None = None

    @property
    def density(self) -> float:
        """Share of active entries in [0, 1]: the mask's own, or what was asked for while it is not built."""
        if not self.built:
            return self._requested_density
        return self.active_count / max(1, int(np.prod(self.mask.shape)))

    @property
    def active_count(self) -> int:
        """How many entries of the kernel are active; the layer must be built."""
        self._check_built("active_count")
        return int(np.count_nonzero(ops.convert_to_numpy(self.mask)))

    @property
    def kernel(self) -> Any:
        """The effective kernel: zero where inactive, and no gradient there (see `dense_gradients`)."""
        self._check_built("kernel")
        stored = getattr(super(), "kernel", None)  # the stock property, which adds LoRA's part
        if stored is None:
            stored = self._kernel
        if getattr(self, "lora_enabled", False):
            stored = apply_mask(stored, self.mask)
        return effective_kernel(stored, self.mask)

    @kernel.setter
    def kernel(self, variable: keras.Variable) -> None:
        self._kernel = variable

    def set_mask(self, mask: Any, optimizer: keras.optimizers.Optimizer | None = None) -> None:
        """Replaces the mask; weights that become inactive are set to zero, new ones start at zero.

        Args:
            mask: array of the kernel's shape, boolean or of zeros and ones.
            optimizer: the optimizer that has trained this kernel, if one has: its slots are set to
                zero too where the mask is False. Without that, momentum would let them grow again.
                A `SparseModel` sees to it by itself whenever `fit` begins.

        Raises:
            ValueError: another shape, another value in it, or the layer is not built.
        """
        self._check_built("set_mask")
        self.mask.assign(check_mask(mask, self.mask.shape))
        self.zero_inactive(optimizer)

    def zero_inactive(self, optimizer: keras.optimizers.Optimizer | None = None) -> None:
        """Sets inactive entries of the stored kernel, and of the slots of an optimizer that trains it, to zero."""
        self._check_built("zero_inactive")
        slots = [] if optimizer is None else slots_of(optimizer, self._kernel)
        for variable in (self._kernel, *slots):
            variable.assign(apply_mask(ops.convert_to_tensor(variable), self.mask))

    def set_weights(self, weights: Any) -> None:
        """As the stock layer's; inactive entries of the kernel are set to zero whatever they are given as."""
        super().set_weights(weights)
        if self.built:
            self.zero_inactive()

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """As the stock layer's, except that the kernel gets its mask here."""
        if kwargs.get("name") != "kernel":
            return super().add_weight(*args, **kwargs)
        mask = self.mask = super().add_weight(
            name="mask", shape=kwargs["shape"], dtype="bool", initializer=self._first_mask, trainable=False
        )
        initializer = keras.initializers.get(kwargs["initializer"])
        kwargs["initializer"] = lambda shape, dtype=None: apply_mask(
            initializer(shape, dtype=dtype), self._first_mask(shape)
        )
        if kwargs.get("regularizer") is not None:
            kwargs["regularizer"] = _MaskedRegularizer(kwargs["regularizer"], mask)
        if kwargs.get("constraint") is not None:
            kwargs["constraint"] = _MaskedConstraint(kwargs["constraint"], mask)
        return super().add_weight(*args, **kwargs)

    def save_own_variables(self, store: Any) -> None:
        """As the stock layer's, followed by the mask, which most stock layers would drop."""
        super().save_own_variables(store)
        if self.built and len(store.keys()) < len(self.variables):
            store[str(len(store.keys()))] = self.mask

    def load_own_variables(self, store: Any) -> None:
        """As the stock layer's, and the mask, which is stored last."""
        super().load_own_variables(store)
        if self.built:
            self.set_mask(ops.convert_to_numpy(store[str(len(store.keys()) - 1)]))

    def get_config(self) -> dict[str, Any]:
        """As the stock layer's, with `density`, `mask_seed` and, if the seed gives another mask, the mask itself."""
        config = {**super().get_config(), "density": self._requested_density, "mask_seed": self.mask_seed}
        mask = self._unseeded_mask()
        return config if mask is None else {**config, "mask": encode_mask(mask)}

    def _unseeded_mask(self) -> np.ndarray | None:
        """Returns the mask, or None where density and seed give it, or nobody has asked for another one yet."""
        mask = ops.convert_to_numpy(self.mask) if self.built else self._given_mask
        return None if mask is None or np.array_equal(mask, self._seeded_mask(mask.shape)) else mask

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the layer from what `get_config` returned."""
        config = dict(config)
        encoded = config.pop("mask", None)
        layer = super().from_config(config)
        if encoded is not None:
            layer._given_mask = decode_mask(encoded)
        return layer

    def _first_mask(self, shape: Any, dtype: Any = None) -> Any:
        """Returns the mask that the layer is built with, in the form of a Keras initializer."""
        if self._given_mask is not None:
            return ops.convert_to_tensor(check_mask(self._given_mask, shape))
        return ops.convert_to_tensor(self._seeded_mask(shape))

    def _seeded_mask(self, shape: Any) -> np.ndarray:
        return random_mask(shape, active_count(self._requested_density, int(np.prod(shape))), self.mask_seed)

    def _check_built(self, name: str) -> None:
        if not self.built:
            raise AttributeError(
                f"`{name}` needs the kernel of layer {self.name!r}, which is made when the layer is built: "
                "call the layer or its model on data, or `build(input_shape)`, first."
            )


def slots_of(optimizer: keras.optimizers.Optimizer, variable: keras.Variable) -> list[keras.Variable]:
    """Returns the variables that an optimizer keeps beside one it trains: moments, averages, accumulators."""
    name = variable.path.replace("/", "_") + "_"  # Keras names a slot after the variable's path
    return [
        slot
        for slot in optimizer.variables
        if slot.path.rpartition("/")[2].startswith(name) and tuple(slot.shape) == tuple(variable.shape)
    ]


class _MaskedRegularizer(keras.regularizers.Regularizer):
    """A regularizer of the effective kernel: it moves no inactive entry."""

    def __init__(self, regularizer: Any, mask: keras.Variable):
        self._regularizer = regularizer
        self._mask = mask

    def __call__(self, kernel: Any) -> Any:
        return self._regularizer(effective_kernel(kernel, self._mask))


class _MaskedConstraint(keras.constraints.Constraint):
    """A constraint that leaves inactive entries at zero."""

    def __init__(self, constraint: Any, mask: keras.Variable):
        self._constraint = constraint
        self._mask = mask

    def __call__(self, kernel: Any) -> Any:
        return apply_mask(self._constraint(kernel), self._mask)


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedDense(MaskedKernel, keras.layers.Dense):
    """`keras.layers.Dense` with a mask on its kernel of shape `(inputs, units)`.

    Args:
        *args: those of `keras.layers.Dense`.
        density: float in [0, 1], see `MaskedKernel`.
        mask_seed: int or None, see `MaskedKernel`.
        **kwargs: those of `keras.layers.Dense`.

    Example:
        >>> layer = MaskedDense(10, density=0.25, mask_seed=0)
        >>> layer.build((None, 8))
        >>> layer.active_count, layer.density
        (20, 0.25)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv1D(MaskedKernel, keras.layers.Conv1D):
    """`keras.layers.Conv1D` with a mask on its kernel of shape `(length, inputs / groups, filters)`.

    Example:
        >>> layer = MaskedConv1D(8, 3, density=0.5, mask_seed=0)
        >>> tuple(layer(np.ones((1, 10, 4))).shape), layer.active_count
        ((1, 8, 8), 48)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv2D(MaskedKernel, keras.layers.Conv2D):
    """`keras.layers.Conv2D` with a mask on its kernel of shape `(height, width, inputs / groups, filters)`.

    Example:
        >>> layer = MaskedConv2D(8, 3, padding="same", density=0.25, mask_seed=0)
        >>> tuple(layer(np.ones((1, 6, 6, 4))).shape), layer.active_count
        ((1, 6, 6, 8), 72)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedConv3D(MaskedKernel, keras.layers.Conv3D):
    """`keras.layers.Conv3D` with a mask on its kernel of shape `(d, h, w, inputs / groups, filters)`.

    Example:
        >>> layer = MaskedConv3D(4, 2, density=0.5, mask_seed=0)
        >>> tuple(layer(np.ones((1, 3, 3, 3, 2))).shape), layer.active_count
        ((1, 2, 2, 2, 4), 32)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedDepthwiseConv2D(MaskedKernel, keras.layers.DepthwiseConv2D):
    """`keras.layers.DepthwiseConv2D` with a mask on its kernel of shape `(h, w, inputs, depth_multiplier)`.

    Example:
        >>> layer = MaskedDepthwiseConv2D(3, density=0.5, mask_seed=0)
        >>> tuple(layer(np.ones((1, 6, 6, 4))).shape), layer.active_count
        ((1, 4, 4, 4), 18)
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedEinsumDense(MaskedKernel, keras.layers.EinsumDense):
    """`keras.layers.EinsumDense` with a mask on its kernel, whose shape follows from the equation.

    Example:
        >>> layer = MaskedEinsumDense("bte,ef->btf", (None, 6), density=0.5, mask_seed=0)
        >>> tuple(layer(np.ones((2, 3, 4))).shape), layer.active_count
        ((2, 3, 6), 12)
    """
