"""Keras layers with a mask on their kernel.

Each layer takes the arguments of its stock twin, plus `density` and `mask_seed`, and trains under plain `compile` and
`fit`. Inactive entries of the stored kernel are exactly zero before and after any number of steps of any optimizer.
"""

import random
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.checks import check_seed, refuse_sparsity
from keras_sparseflow.layers.mask.arrays import (
    active_count,
    apply_mask,
    check_density,
    check_mask,
    decode_mask,
    encode_mask,
    random_mask,
)
from keras_sparseflow.layers.mask.loop import kernel_in_loop
from keras_sparseflow.layers.mask.slots import reset_inactive_slots
from keras_sparseflow.layers.mask.variables import MaskedVariable, MaskVariable, attach_mask


class MaskedKernel(keras.layers.Layer):
    """Mixin that puts a mask on the kernel of a layer: `class MaskedDense(MaskedKernel, keras.layers.Dense)`.

    The mixin overrides how the layer makes its kernel (`add_weight`), and not `call`: the kernel is a
    `MaskedVariable`, which reads as the effective kernel.

    Args:
        density: float in [0, 1], the share of active entries. The mask is drawn at random when the
            layer is built and has exactly round(density * size) active entries.
        mask_seed: int, at least 0; seed and kernel shape decide the random mask. None draws a seed (from
            Python's generator, which `keras.utils.set_random_seed` sets); the layer's config holds it,
            so a clone of the layer has the same mask.

    Attributes:
        mask: boolean non-trainable variable of the kernel's shape; True is active. Change it with
            `set_mask`.
        stored_kernel: the kernel's variable, which optimizers train; zero where the mask is False.

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

    mask: MaskVariable
    stored_kernel: MaskedVariable

    def __init__(self, *args: Any, density: float = 1.0, mask_seed: int | None = None, **kwargs: Any):
        refuse_sparsity(kwargs)
        super().__init__(*args, **kwargs)
        self._requested_density = check_density(density)
        self.mask_seed = random.randrange(2**31) if mask_seed is None else check_seed(mask_seed, "mask_seed")
        self._given_mask: np.ndarray | None = None

    @property
    def density(self) -> float:
        """Share of active entries in [0, 1]: that of the mask, or the requested one before the layer is built."""
        if not self.built:
            return self._requested_density
        return self.active_count / max(1, int(np.prod(self.mask.shape)))

    @property
    def active_count(self) -> int:
        """Number of active entries of the kernel; the layer must be built."""
        self._check_built("active_count")
        return int(np.count_nonzero(ops.convert_to_numpy(self.mask)))

    @property
    def mask_variables(self) -> list[keras.Variable]:
        """The variables that hold the mask; none before the layer is built."""
        return [self.mask] if hasattr(self, "mask") else []

    @property
    def kernel(self) -> Any:
        """The kernel's variable; operations that read it give inactive weights no gradient.

        With LoRA it is a tensor, as in a stock layer: the kernel plus LoRA's product, zero where inactive.

        Raises:
            AttributeError: the layer is not built, or the kernel is replaced, which would remove its mask: change
                values by `layer.kernel.assign(values)` and the mask by `layer.set_mask(mask)`.
        """
        self._check_built("kernel")
        in_loop = kernel_in_loop(self)
        if in_loop is not None:
            return in_loop
        if getattr(self, "lora_enabled", False):
            return apply_mask(super().kernel, self.mask)
        return self.stored_kernel

    @kernel.setter
    def kernel(self, variable: keras.Variable) -> None:
        if variable is not self.stored_kernel:
            raise AttributeError(
                f"`kernel` of the masked layer {self.name!r} cannot be replaced: the new one would have no mask. "
                "Change its values by `layer.kernel.assign(values)` and its mask by `layer.set_mask(mask)`."
            )

    def set_mask(self, mask: Any, optimizer: keras.optimizers.Optimizer | None = None) -> None:
        """Replaces the mask; weights that become inactive are set to zero, new ones start at zero.

        Args:
            mask: array of the kernel's shape, boolean or of zeros and ones.
            optimizer: the optimizer that has trained this kernel, if any: its slots return to their initial values
                where the mask is False. Otherwise old momentum would act on weights that grow again.
                A `SparseModel` resets slots itself whenever `fit` begins.

        Raises:
            ValueError: the mask has another shape or another value.
            AttributeError: the layer is not built.
        """
        self._check_built("set_mask")
        self.stored_kernel.forget_unmasked()
        self.mask.assign(mask)
        if optimizer is not None:
            reset_inactive_slots(optimizer, self.stored_kernel)

    def set_weights(self, weights: Any) -> None:
        """Sets all weights, the mask included; inactive weights of the kernel become zero.

        Raises:
            ValueError: the weights do not fit, such as those of the stock layer, which has no mask.
        """
        check_weights(self, weights, masks=1)
        super().set_weights(weights)

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """Adds a weight as the stock layer does; the kernel gets its mask, too."""
        if kwargs.get("name") != "kernel":
            return super().add_weight(*args, **kwargs)
        mask = self.mask = super().add_weight(
            name="mask", shape=kwargs["shape"], dtype="bool", initializer=self._first_mask, trainable=False
        )
        initializer = keras.initializers.get(kwargs["initializer"])
        kwargs["initializer"] = lambda shape, dtype=None: apply_mask(
            initializer(shape, dtype=dtype), self._first_mask(shape)
        )
        kernel = super().add_weight(*args, **kwargs)
        if not keras.backend.is_float_dtype(kernel.dtype):
            raise ValueError(
                f"`dtype` of the masked layer {self.name!r} must give its kernel a floating type; received a kernel of "
                f"{kernel.dtype}, by the policy {self.dtype_policy.name!r}."
            )
        self._dense_gradients = attach_mask(kernel, mask).variable  # an attribute, so that TensorFlow exports it
        self.stored_kernel = kernel
        return kernel

    def quantize(self, *args: Any, **kwargs: Any) -> None:
        """Refuses to quantize, because a quantized kernel is another variable, without a mask.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            f"The masked layer {self.name!r} cannot be quantized: its kernel would lose the mask. Quantize what "
            "`strip_masks(model)` returns, where inactive weights are zeros."
        )

    def save_own_variables(self, store: Any) -> None:
        """Saves the stock layer's variables, then the mask."""
        if not self.built:
            super().save_own_variables(store)
            return
        for number, value in enumerate([*self._stored_by_stock(), self.mask]):
            store[str(number)] = value

    def load_own_variables(self, store: Any) -> None:
        """Loads the stock layer's variables and the mask; weights of a stock layer are masked by this layer's mask.

        Raises:
            ValueError: the store has another number of weights.
        """
        if self.built:
            store = with_masks(self, store, len(self._stored_by_stock()), [self.mask])
        super().load_own_variables(store)

    def _stored_by_stock(self) -> list[Any]:
        """Returns what the stock layer saves, without the mask, which some stock layers save as well."""
        values: dict[str, Any] = {}
        super().save_own_variables(values)
        return [value for value in values.values() if value is not self.mask]

    def get_config(self) -> dict[str, Any]:
        """Returns the stock layer's config with `density`, `mask_seed` and, if these give another mask, the mask."""
        config = {**super().get_config(), "density": self._requested_density, "mask_seed": self.mask_seed}
        mask = self._unseeded_mask()
        return config if mask is None else {**config, "mask": encode_mask(mask)}

    def _unseeded_mask(self) -> np.ndarray | None:
        """Returns the mask if density and seed do not give it; None if they do, or if there is no mask yet."""
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
        """Returns the mask that the layer is built with; called as a Keras initializer."""
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


def check_weights(layer: keras.layers.Layer, weights: Any, masks: int) -> None:
    """Raises ValueError if a masked layer is given the weights of its stock twin, which has no masks."""
    count = len(layer.weights)
    if layer.built and len(weights) == count - masks:
        raise ValueError(
            f"`weights` of the masked layer {layer.name!r} must be {count} arrays, its masks among them; received "
            f"{len(weights)}, as a stock layer has. To give a model the weights of its stock twin, call "
            "`rewind(model, weights_of(stock_model))`, both of `keras_sparseflow.training`."
        )


def with_masks(layer: keras.layers.Layer, store: Any, weights: int, masks: list[MaskVariable]) -> dict[str, Any]:
    """Returns a layer's stored weights, followed by its masks. Stored masks are assigned here, before any weight.

    Args:
        layer: a masked layer.
        store: stored variables of the layer, or of its stock twin, which has no masks.
        weights: number of weights that the stock twin stores.
        masks: masks of the layer.

    Raises:
        ValueError: the store has another number of weights.
    """
    values = {key: store[key] for key in store.keys()}  # noqa: SIM118 - a Keras store has no iterator
    if len(values) not in (weights, weights + len(masks)):
        raise ValueError(
            f"A file of weights must hold {weights} arrays for the masked layer {layer.name!r}, or "
            f"{weights + len(masks)} with masks; received {len(values)}. A file of a stock model names layers after "
            "other classes: `load_stock_weights(model, path)` of `keras_sparseflow.twins` loads it."
        )
    given = len(values) > weights
    for number, mask in enumerate(masks, weights):
        if given:
            mask.kernel.forget_unmasked()
            mask.assign(ops.convert_to_numpy(values[str(number)]))
        values[str(number)] = mask
    return values


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedDense(MaskedKernel, keras.layers.Dense):
    """`keras.layers.Dense` with a mask on its kernel of shape `(inputs, units)`.

    Args:
        *args: arguments of `keras.layers.Dense`.
        density: float in [0, 1], see `MaskedKernel`.
        mask_seed: int or None, see `MaskedKernel`.
        **kwargs: arguments of `keras.layers.Dense`.

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
