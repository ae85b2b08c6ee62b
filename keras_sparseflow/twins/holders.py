"""Layers and models that hold masked kernels which their own config does not know, and how they are saved.

The config of a masked layer holds its mask. So does that of a functional or sequential model, of which it is a part.
But a layer of one's own that makes its inner layers itself, a layer that runs over cells or a subclass of a stock layer
is made anew from its config without masks. Such a layer becomes a `MaskedHolder` in place: still of its own class, it
is saved as its own config and the paths of its masked kernels. What is made from that masks them when it is built.
"""

import contextlib
import functools
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.saving.object_registration import GLOBAL_CUSTOM_NAMES
from keras.src.utils.python_utils import is_default

from keras_sparseflow.layers.mask.arrays import decode_mask, encode_mask
from keras_sparseflow.layers.recurrent import KernelsReadOnce
from keras_sparseflow.layers.structure import (
    Kernel,
    holds_configs,
    kernels_of,
    masked_kernels_of,
    variables_at_places,
    variables_of,
)
from keras_sparseflow.twins.in_place import become, mask_kernel
from keras_sparseflow.twins.kinds import STOCK_OF, own_class, subclass_of

_WRAPPERS = (keras.layers.TimeDistributed, keras.layers.Bidirectional)
"""Wrappers whose config holds that of the layers within, and which only call them."""


@keras.saving.register_keras_serializable("keras_sparseflow")
class MaskedHolder:
    """Mixin of the class of a layer or model that holds masks which its own config does not know."""

    def get_config(self) -> dict[str, Any]:
        """Returns the layer as Keras saves it, the paths of its masked kernels, and the masks."""
        layer: Any = self
        kernels = masked_kernels_of(layer)
        try:
            with self._of_own_class():
                config = keras.saving.serialize_keras_object(layer)
        except NotImplementedError as error:
            raise NotImplementedError(
                f"{type(self).__name__} {layer.name!r}, which holds masked kernels, has no config: give the "
                "class a `get_config`, or save weights and masks with `model.save_weights`."
            ) from error
        for name in ("build_config", "compile_config"):  # Keras saves them beside this config
            config.pop(name, None)
        return {
            "layer": config,
            "kernels": [kernel.path for kernel in kernels],
            "include": [
                kernel.path for kernel in variables_of(layer) if kernel.mask is not None and _is_included(kernel)
            ],
            "masks": {kernel.path: encode_mask(ops.convert_to_numpy(kernel.mask)) for kernel in kernels},
        }

    def own_config(self) -> Any:
        """Returns what the layer's own `get_config` does."""
        with self._of_own_class():
            layer: Any = self
            return layer.get_config()

    @contextlib.contextmanager
    def _of_own_class(self) -> Iterator[None]:
        layer, kind = self, type(self)
        layer.__class__ = own_class(kind)
        try:
            yield
        finally:
            layer.__class__ = kind

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Makes the layer; its kernels get their masks when they are built."""
        layer: Any = keras.saving.deserialize_keras_object(config["layer"])
        hold_masks(layer)
        vars(layer)["_masks_to_come"] = config
        layer._mask_what_is_built()
        return layer

    def build_from_config(self, config: dict[str, Any]) -> None:
        """As the layer's own; then kernels get their masks."""
        parent: Any = super()
        if isinstance(self, keras.Model) or not is_default(parent.build):  # else its first call builds what it holds
            parent.build_from_config(config)
        self._mask_what_is_built()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As the layer's own; its first call builds layers within, whose kernels then get their masks."""
        parent: Any = super()
        outputs = parent.__call__(*args, **kwargs)
        if "_masks_to_come" in vars(self):
            missing = self._mask_what_is_built()
            if missing:
                layer: Any = self
                raise ValueError(
                    f"{type(self).__name__} {layer.name!r} must have the kernels that it had when it was saved, to "
                    f"give them their masks; its first call has not made {', '.join(missing)}."
                )
        return outputs

    def _mask_what_is_built(self) -> list[str]:
        """Masks the kernels that are to be, if all of them are made; returns the paths of those that are not."""
        to_come: Any = vars(self).get("_masks_to_come")
        if to_come is None:
            return []
        layer: Any = self
        found = kernels_by_path(layer, to_come["include"])
        missing = [path for path in to_come["kernels"] if path not in found]
        if not missing:
            del vars(self)["_masks_to_come"]
            mask_kernels(layer, [found[path] for path in to_come["kernels"]])
            assign_masks(layer, {path: decode_mask(mask) for path, mask in to_come.get("masks", {}).items()})
        return missing


def kernels_by_path(model: keras.layers.Layer, include: Any = ()) -> dict[str, Kernel]:
    """Returns the kernels of a model, and other variables of these paths, by the paths of kernels."""
    also = {id(kernel.variable) for kernel in variables_of(model) if kernel.path in include} if include else ()
    return {kernel.path: kernel for kernel in kernels_of(model, also)}


def mask_kernels(model: keras.layers.Layer, kernels: list[Kernel]) -> None:
    """Masks kernels of a model where they are, with masks that are True everywhere."""
    new = {id(kernel.variable) for kernel in kernels if kernel.mask is None}
    beside: dict[int, list[Kernel]] = defaultdict(list)
    for kernel in kernels_of(model, new):
        beside[id(kernel.layer)].append(kernel)
    for kernel in kernels:
        if getattr(kernel.variable, "mask", None) is None:
            own = beside[id(kernel.layer)]
            mask_kernel(kernel, [each.variable.name for each in own if id(each.variable) in new and len(own) > 1])
    for kernel in list(variables_at_places(model)):
        if kernel.mask is not None:
            _let_hold(model, kernel)


def assign_masks(model: keras.layers.Layer, masks: Mapping[str, np.ndarray]) -> None:
    """Gives masks to kernels by path."""
    for kernel in masked_kernels_of(model):
        if kernel.path in masks:
            layer: Any = kernel.layer
            layer.set_mask(masks[kernel.path])


def hold_masks(layer: Any) -> None:
    """Turns a layer into a `MaskedHolder` of its own class, in place."""
    if not isinstance(layer, MaskedHolder):
        kind: Any = type(layer)
        become(layer, _holder_class(kind))


def _let_hold(model: keras.layers.Layer, kernel: Kernel) -> None:
    """Turns the outermost layer whose config would lose the mask of a kernel within into a holder, and every RNN."""
    chain = [model, *(layer for layer in kernel.chain if layer is not model)]
    for layer in chain:
        if isinstance(layer, keras.layers.RNN) and not isinstance(layer, KernelsReadOnce):
            hold_masks(layer)
    for layer in chain:
        if isinstance(layer, MaskedHolder) or type(layer) in STOCK_OF:
            return
        if not (holds_configs(layer) or type(layer) in _WRAPPERS):
            hold_masks(layer)
            return


def _is_included(kernel: Kernel) -> bool:
    """Returns whether a masked variable is no kernel but for its mask."""
    return not kernel.variable.name.endswith("kernel")


@functools.cache
def _holder_class(kind: type) -> type:
    once = issubclass(kind, keras.layers.RNN) and not issubclass(kind, KernelsReadOnce)
    new = subclass_of(kind, MaskedHolder, *([KernelsReadOnce] if once else []))
    GLOBAL_CUSTOM_NAMES[new] = "keras_sparseflow>MaskedHolder"
    return new
