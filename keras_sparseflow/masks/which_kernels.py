"""The choice of kernels that get masks: all but those excluded by name, pattern or class."""

import difflib
import fnmatch
from collections.abc import Iterable, Sequence

import keras

from keras_sparseflow.layers.structure import Kernel

Exclusion = str | type


def choose_kernels(kernels: Sequence[Kernel], exclude: Exclusion | Iterable[Exclusion] = ()) -> list[Kernel]:
    """Returns the kernels that no exclusion names, in their order.

    Args:
        kernels: kernels from `kernels_of`.
        exclude: names or paths of layers, patterns of these (`"block_*"`, `"*/query"`), or classes of
            layers; one or several.

    Raises:
        TypeError: an exclusion is neither a string nor a class.
        ValueError: an exclusion matches nothing, or all together match everything.
    """
    items = [exclude] if isinstance(exclude, (str, type)) else list(exclude)
    for item in items:
        if not isinstance(item, (str, type)):
            raise TypeError(f"`exclude` must hold names, patterns or classes of layers; received {item!r}.")
        if not any(names_kernel(kernel, item) for kernel in kernels):
            raise _no_match(kernels, item)
    chosen = [kernel for kernel in kernels if not any(names_kernel(kernel, item) for item in items)]
    if not chosen:
        raise ValueError(f"`exclude` leaves nothing to mask: it matches all {len(kernels)} kernels.")
    return chosen


def check_not_quantized(kernels: Sequence[Kernel], remedy: str) -> None:
    """Raises ValueError, which ends with `remedy`, if a kernel is not stored in a floating type."""
    for kernel in kernels:
        if not keras.backend.is_float_dtype(kernel.variable.dtype):
            raise ValueError(
                f"`model` must store the kernels that get masks in a floating type; received {kernel.path!r} of "
                f"{kernel.variable.dtype}, whose layer is quantized. {remedy.format(path=kernel.path)}"
            )


def names_kernel(kernel: Kernel, item: Exclusion) -> bool:
    """Returns whether an exclusion names a kernel, its layer, or a layer around it."""
    if isinstance(item, type):
        return any(isinstance(layer, item) for layer in kernel.chain)
    names = kernel.path.split("/")
    around = ["/".join(names[:end]) for end in range(1, len(names) + 1)]
    around += [layer.name for layer in kernel.chain]  # paths leave out cells, and numbers chosen by Keras
    return any(fnmatch.fnmatchcase(path, item) or fnmatch.fnmatchcase(path, f"*/{item}") for path in around)


def _no_match(kernels: Sequence[Kernel], item: Exclusion) -> ValueError:
    if isinstance(item, type):
        return ValueError(f"`exclude` names {item.__name__}, but no such layer has a kernel that can be masked.")
    paths = [kernel.path for kernel in kernels]
    near = difflib.get_close_matches(item, paths, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return ValueError(f"`exclude` names {item!r}, which no kernel matches; expected one of {', '.join(paths)}.{hint}")
