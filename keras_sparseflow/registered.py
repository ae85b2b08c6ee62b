"""The classes of this package that Keras finds in saved models, although their modules load when they are first used.

Keras looks a class up by the name that it is registered under, which happens when its module runs. So as soon as Keras
itself is loaded, before or after this package, each name gets a stand-in, which loads the module when it is used.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

CLASSES: dict[str, tuple[str, ...]] = {
    "layers.convolutions": (
        "MaskedConv1DTranspose",
        "MaskedConv2DTranspose",
        "MaskedConv3DTranspose",
        "MaskedDepthwiseConv1D",
    ),
    "layers.ghost": ("GhostMish", "GhostSkip", "GhostSwish"),
    "layers.masked": (
        "MaskedConv1D",
        "MaskedConv2D",
        "MaskedConv3D",
        "MaskedDense",
        "MaskedDepthwiseConv2D",
        "MaskedEinsumDense",
    ),
    "layers.several_kernels": (
        "MaskedGroupQueryAttention",
        "MaskedMultiHeadAttention",
        "MaskedSeparableConv1D",
        "MaskedSeparableConv2D",
    ),
    "layers.rectifiers": ("PReLU", "SReLU"),
    "layers.recurrent": ("MaskedGRU", "MaskedLSTM", "MaskedSimpleRNN"),
    "training.losses": ("SmoothedCrossEntropy", "SquaredError"),
    "training.model": ("SparseModel",),
    "training.distributed.multiworker": ("MultiWorkerModel",),
    "training.optimizers": ("AdamW",),
    "twins.ghost_graph": ("GhostedSequential",),
}
"""For each module of the package, the classes in it that are registered."""


def register_when_keras_loads() -> None:
    """Lets Keras find the classes from now on if it is loaded, otherwise as soon as it is; loads nothing itself."""
    if sys.modules.get("keras") is not None:
        _register()
    else:
        sys.meta_path.insert(0, _WhenKerasLoads())


def _register() -> None:
    import keras

    known = keras.saving.get_custom_objects()
    for module, names in CLASSES.items():
        for name in names:
            known.setdefault(f"keras_sparseflow>{name}", _Later(f"keras_sparseflow.{module}", name))


@dataclass(frozen=True)
class _Later:
    """Stands for a class, of which Keras takes `from_config`, until its module registers the class itself."""

    module: str
    name: str

    def __getattr__(self, attribute: str) -> Any:
        return getattr(getattr(import_module(self.module), self.name), attribute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(self.module), self.name)(*args, **kwargs)


class _WhenKerasLoads:
    """A finder of modules that finds Keras as the others do, and registers the classes when it has run."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != "keras":
            return None
        others = (finder.find_spec(name, path, target) for finder in sys.meta_path if finder is not self)
        spec = next((spec for spec in others if spec is not None), None)
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader)
        return spec

    def _follow(self, loader: Any) -> None:
        execute = loader.exec_module

        def execute_and_register(module: ModuleType) -> None:
            execute(module)
            del loader.exec_module
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            _register()

        loader.exec_module = execute_and_register
