"""The classes that Keras finds in saved models before this package's modules are imported.

Keras looks a class up by its registered name, and a class is registered when its module runs. So each name gets a
stand-in as soon as Keras is loaded, before or after this package. The stand-in imports the module when it is used.
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
    "layers.recurrent": (
        "MaskedConvLSTMCell",
        "MaskedGRU",
        "MaskedGRUCell",
        "MaskedLSTM",
        "MaskedLSTMCell",
        "MaskedSimpleRNN",
        "MaskedSimpleRNNCell",
    ),
    "layers.sparse.sparse_layers": ("SparseConv2D", "SparseDense", "SparseEinsumDense"),
    "layers.tokens": ("HeadAttention", "TokenEmbedding"),
    "training.losses": ("SmoothedCrossEntropy", "SquaredError"),
    "training.model": ("SparseModel",),
    "training.distributed.multiworker": ("MultiWorkerModel",),
    "training.optimizers": ("AdamW",),
    "twins.ghosts.ghost_graph": ("GhostedSequential",),
    "twins.holders": ("MaskedHolder",),
}
"""The registered classes of each module."""


def register_when_keras_loads() -> None:
    """Gives Keras the stand-ins now if it is loaded, otherwise as soon as it is; imports nothing itself."""
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
    """Stand-in for a class until its module registers the class itself; Keras calls its `from_config`."""

    module: str
    name: str

    def __getattr__(self, attribute: str) -> Any:
        return getattr(getattr(import_module(self.module), self.name), attribute)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(import_module(self.module), self.name)(*args, **kwargs)


class _WhenKerasLoads:
    """Import finder that leaves Keras to the other finders and adds the stand-ins once Keras has run."""

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
