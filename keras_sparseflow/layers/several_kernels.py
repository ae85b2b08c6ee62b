"""Masked layers with several kernels; each kernel belongs to a part, an inner layer with its own mask."""

import random
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import keras
import numpy as np

from keras_sparseflow.checks import check_seed, refuse_sparsity
from keras_sparseflow.layers.mask.arrays import check_density, decode_mask, encode_mask
from keras_sparseflow.layers.mask.variables import MaskVariable
from keras_sparseflow.layers.masked import MaskedEinsumDense, MaskedKernel, check_weights, with_masks


class KernelPart(MaskedKernel):
    """Inner layer that holds one kernel, and its mask, of a layer that has several kernels."""

    def hold(self, arguments: dict[str, Any]) -> keras.Variable:
        """Makes the kernel with the arguments of the outer layer's `add_weight`, and returns its variable."""
        variable = self.add_weight(**{**arguments, "name": "kernel"})
        self.built = True
        return variable

    def save_own_variables(self, store: Any) -> None:
        """Saves nothing: the outer layer saves kernels and masks among its own variables."""

    def load_own_variables(self, store: Any) -> None:
        """Loads nothing: the outer layer does."""


class MaskedParts(keras.layers.Layer):
    """Mixin that puts a mask on each kernel of a stock layer that has several.

    The mixin overrides how the layer makes its kernels (by `add_weight`, or as attributes that are
    dense layers or recurrent cells), and not `call`.

    Args:
        density: float in [0, 1], the share of active entries of every kernel; exactly
            round(density * size) each.
        mask_seed: int, at least 0; seed, kernel name and kernel shape decide each random mask. None draws a seed,
            as in `MaskedKernel`.

    Example:
        >>> layer = MaskedMultiHeadAttention(num_heads=2, key_dim=4, density=0.25, mask_seed=0)
        >>> layer.build((None, 5, 8), (None, 5, 8))
        >>> tuple(layer.parts["query"].kernel.shape), layer.parts["query"].density
        ((8, 2, 4), 0.25)
    """

    kernel_attributes: ClassVar[tuple[str, ...]] = ()
    """Attributes from which the stock layer reads its kernels; they are the kernels' names, too."""

    def __init__(self, *args: Any, density: float = 1.0, mask_seed: int | None = None, **kwargs: Any):
        refuse_sparsity(kwargs)
        # Set before the stock layer's `__init__`, which may make parts already.
        self._requested_density = check_density(density)
        self.mask_seed = random.randrange(2**31) if mask_seed is None else check_seed(mask_seed, "mask_seed")
        self._given_masks: dict[str, np.ndarray] = {}
        self._weight_names: list[str] = []
        super().__init__(*args, **kwargs)

    @property
    def parts(self) -> Mapping[str, MaskedKernel]:
        """The masked layers that hold the kernels, by name."""
        parts = {layer.name: layer for layer in self._flatten_layers(include_self=False) if _is_masked(layer)}
        return MappingProxyType(parts)  # in a dict, Keras would save layers that have attributes of their own

    def add_weight(self, *args: Any, **kwargs: Any) -> keras.Variable:
        """Adds a weight as the stock layer does; each kernel goes into a part."""
        name = kwargs["name"]
        self._weight_names.append(name)
        if name not in self.kernel_attributes:
            return super().add_weight(*args, **kwargs)
        part = KernelPart(name=name, dtype=self.dtype_policy, **self._mask_arguments(name))
        part._given_mask = self._given_masks.get(name)
        setattr(self, f"{name}_part", part)
        return part.hold(kwargs)

    def set_weights(self, weights: Any) -> None:
        """Sets all weights, masks included; inactive weights of kernels become zero.

        Raises:
            ValueError: the weights do not fit, such as those of the stock layer, which has no masks.
        """
        check_weights(self, weights, len(self.parts))
        super().set_weights(weights)

    def save_own_variables(self, store: Any) -> None:
        """Saves the stock layer's variables, kernels included, then the masks of the kernels."""
        for number, value in enumerate([*self._weights(), *self._masks()]):
            store[str(number)] = value

    def load_own_variables(self, store: Any) -> None:
        """Loads the stock layer's variables and the masks; weights of a stock layer are masked by this layer's masks.

        Raises:
            ValueError: the store has another number of weights.
        """
        if not self._weight_names:  # not built, or inner layers load their kernels themselves
            super().load_own_variables(store)
            return
        values = with_masks(self, store, len(self._weights()), self._masks())
        for number, variable in enumerate(self._weights()):
            variable.assign(values[str(number)])

    def _weights(self) -> list[keras.Variable]:
        """Returns the variables that the stock layer owns, kernels included, in the stock layer's order."""
        named = {variable.name: variable for variable in (*self._trainable_variables, *self._non_trainable_variables)}
        named |= {name: self._part(name).stored_kernel for name in self._kernels_of_parts()}
        return [named[name] for name in self._weight_names]

    def _masks(self) -> list[MaskVariable]:
        return [self._part(name).mask for name in self._kernels_of_parts()]

    def _kernels_of_parts(self) -> list[str]:
        return [name for name in self._weight_names if name in self.kernel_attributes]

    def get_config(self) -> dict[str, Any]:
        """Returns the stock layer's config with `density`, `mask_seed` and the masks that these do not give."""
        config = {**super().get_config(), "density": self._requested_density, "mask_seed": self.mask_seed}
        masks = {name: part._unseeded_mask() for name, part in self.parts.items()} or self._given_masks
        encoded = {name: encode_mask(mask) for name, mask in masks.items() if mask is not None}
        return {**config, "masks": encoded} if encoded else config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the layer from what `get_config` returned."""
        config = dict(config)
        encoded = config.pop("masks", {})
        layer = super().from_config(config)
        layer.give_masks({name: decode_mask(mask) for name, mask in encoded.items()})
        return layer

    def give_masks(self, masks: dict[str, np.ndarray]) -> None:
        """Sets the masks, by name, that the parts of a layer that is not built yet will be built with."""
        self._given_masks = masks
        for layer in self._flatten_layers(include_self=False):
            if isinstance(layer, MaskedParts):
                layer.give_masks(masks)

    def _part(self, name: str) -> MaskedKernel:
        part: MaskedKernel = getattr(self, f"{name}_part")
        return part

    def _mask_arguments(self, name: str) -> dict[str, Any]:
        """Returns density and seed of the part of that name; each part has its own random stream."""
        return {"density": self._requested_density, "mask_seed": zlib.crc32(f"{self.mask_seed}/{name}".encode())}

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets an attribute; a stock part becomes a masked one before it is built, and a kernel cannot be replaced."""
        if name not in self.kernel_attributes:
            super().__setattr__(name, self._masked_part(value))
        elif value is not self._part(name).stored_kernel:  # what `build` of the stock layer assigns
            self._part(name).kernel = value  # raises AttributeError

    def _masked_part(self, value: Any) -> Any:
        if type(value) is keras.layers.EinsumDense:
            part = MaskedEinsumDense.from_config({**value.get_config(), **self._mask_arguments(value.name)})
            part._given_mask = self._given_masks.get(value.name)
            return part
        return value


def _is_masked(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, MaskedKernel)


def kernel_of_part(name: str) -> Any:
    """Returns the property through which a stock layer reads a kernel from its part."""
    return property(lambda layer: getattr(layer, f"{name}_part").kernel, doc=f"The effective `{name}`, of its part.")


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedSeparableConv1D(MaskedParts, keras.layers.SeparableConv1D):
    """`keras.layers.SeparableConv1D` with masks on `depthwise_kernel` and `pointwise_kernel`.

    Example:
        >>> layer = MaskedSeparableConv1D(16, 3, density=0.5, mask_seed=0)
        >>> layer.build((None, 8, 4))
        >>> {name: part.active_count for name, part in layer.parts.items()}
        {'depthwise_kernel': 6, 'pointwise_kernel': 32}
    """

    kernel_attributes = ("depthwise_kernel", "pointwise_kernel")
    depthwise_kernel = kernel_of_part("depthwise_kernel")
    pointwise_kernel = kernel_of_part("pointwise_kernel")


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedSeparableConv2D(MaskedParts, keras.layers.SeparableConv2D):
    """`keras.layers.SeparableConv2D` with masks on `depthwise_kernel` and `pointwise_kernel`.

    Example:
        >>> layer = MaskedSeparableConv2D(16, 3, density=0.5, mask_seed=0)
        >>> layer.build((None, 8, 8, 4))
        >>> {name: part.active_count for name, part in layer.parts.items()}
        {'depthwise_kernel': 18, 'pointwise_kernel': 32}
    """

    kernel_attributes = ("depthwise_kernel", "pointwise_kernel")
    depthwise_kernel = kernel_of_part("depthwise_kernel")
    pointwise_kernel = kernel_of_part("pointwise_kernel")


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedMultiHeadAttention(MaskedParts, keras.layers.MultiHeadAttention):
    """`keras.layers.MultiHeadAttention` with masks on its projections `query`, `key`, `value`, `attention_output`.

    Example:
        >>> layer = MaskedMultiHeadAttention(num_heads=2, key_dim=4, density=0.25, mask_seed=0)
        >>> layer.build((None, 5, 8), (None, 5, 8))
        >>> {name: part.active_count for name, part in layer.parts.items()}
        {'query': 16, 'key': 16, 'value': 16, 'attention_output': 16}
    """


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedGroupQueryAttention(MaskedParts, keras.layers.GroupQueryAttention):
    """`keras.layers.GroupQueryAttention` with masks on its projections, as `MaskedMultiHeadAttention`.

    Example:
        >>> layer = MaskedGroupQueryAttention(4, 4, 2, density=0.25, mask_seed=0)
        >>> layer.build((None, 5, 8), (None, 5, 8))
        >>> {name: part.active_count for name, part in layer.parts.items()}
        {'query': 32, 'key': 16, 'value': 16, 'attention_output': 32}
    """
