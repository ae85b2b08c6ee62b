"""Sparse neural networks in Keras: masked layers, effective gradient flow, matched-capacity studies.

Public names load when they are first used, so that importing the package is fast and the run store
and the analysis work where TensorFlow is not installed.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "layers": (
        "MaskedConv1D",
        "MaskedConv2D",
        "MaskedConv3D",
        "MaskedDense",
        "MaskedDepthwiseConv2D",
        "MaskedEinsumDense",
        "dense_gradients",
    ),
    "flow": ("egf", "grad_norm", "measured_epochs"),
    "data": ("load_images",),
    "models": ("mlp",),
    "training": ("GradientFlow", "SparseModel", "measure_flow"),
}
_ROOM_OF = {name: room for room, names in _HOMES.items() for name in names}

__all__ = sorted(_ROOM_OF)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
