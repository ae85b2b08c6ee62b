"""Summary of a sparse model: density, active weights and operations of each kernel."""

import io
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.several_kernels import KernelPart
from keras_sparseflow.layers.sparse.sparse_kernel import SparseKernel
from keras_sparseflow.layers.structure import Kernel, dense_matrices_of, kernels_of, walk
from keras_sparseflow.twins.operations import uses_per_example
from keras_sparseflow.twins.sparse_twins import default_density, why_masked


@dataclass(frozen=True)
class KernelSummary:
    """One kernel of a model.

    Args:
        path: the kernel's name.
        layer: the class of the layer that computes with it.
        shape: of the kernel.
        masked: whether it has a mask.
        size: how many weights it has.
        active: how many of them are active; all where there is no mask.
        dense_flops: multiplications and additions of one example's forward pass if all were active;
            None where that is not known.
        sparse_flops: those of the active weights.

    Example:
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="hidden")])
        >>> kernel = sparsity_summary(model).kernels[0]
        >>> kernel.path, kernel.size, kernel.density, kernel.dense_flops
        ('hidden', 6, 1.0, 12)
    """

    path: str
    layer: str
    shape: tuple[int, ...]
    masked: bool
    size: int
    active: int
    dense_flops: int | None
    sparse_flops: int | None

    @property
    def density(self) -> float:
        """Share of active weights, in [0, 1]."""
        return self.active / max(1, self.size)


@dataclass(frozen=True)
class SparsitySummary:
    """The kernels of a model, and the layers that hold matrices without a mask. Printing it shows a table.

    Args:
        name: the model's.
        kernels: in the order of the layers.
        unmasked: `(path, class, weights)` of each layer that has trainable matrices without a mask:
            excluded, or of a class without a masked twin, such as `Embedding`.
        masked: `(path, reason)` of each masked kernel of a model with sparse layers, and why it is not sparse.

    Example:
        >>> from keras_sparseflow import sparsify
        >>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(10), keras.layers.Dense(4)])
        >>> summary = sparsity_summary(sparsify(model, density=0.25))
        >>> summary.active, summary.size, summary.density, summary.sparse_flops
        (30, 120, 0.25, 60)
    """

    name: str
    kernels: tuple[KernelSummary, ...]
    unmasked: tuple[tuple[str, str, int], ...]
    masked: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Weights of all kernels."""
        return sum(kernel.size for kernel in self.kernels)

    @property
    def active(self) -> int:
        """Active weights of all kernels."""
        return sum(kernel.active for kernel in self.kernels)

    @property
    def density(self) -> float:
        """Share of active weights of all kernels, those without a mask included, in [0, 1]."""
        return self.active / max(1, self.size)

    @property
    def dense_flops(self) -> int | None:
        """Operations of all kernels for one example if all weights were active; None if one is not known."""
        return _sum(kernel.dense_flops for kernel in self.kernels)

    @property
    def sparse_flops(self) -> int | None:
        """Operations of the active weights of all kernels for one example; None if one is not known."""
        return _sum(kernel.sparse_flops for kernel in self.kernels)

    def to_frame(self) -> Any:
        """Returns a pandas DataFrame with a row for each kernel: the fields of `KernelSummary`, and `density`."""
        import pandas as pd

        names = [field.name for field in fields(KernelSummary)]
        rows = [
            {**{name: getattr(kernel, name) for name in names}, "density": kernel.density} for kernel in self.kernels
        ]
        frame = pd.DataFrame(rows, columns=[*names, "density"])
        return frame.astype({"dense_flops": "Int64", "sparse_flops": "Int64"})

    def _repr_html_(self) -> str:
        """Returns the table that a notebook shows."""
        styler = self.to_frame().style.bar(subset=["density"], vmin=0, vmax=1, color="#9ecae1").hide(axis="index")
        return str(styler.format(precision=4, thousands=",").set_caption(self._caption()).to_html())

    def __rich__(self) -> Any:
        """Returns the table that `rich` shows in a terminal."""
        from rich.table import Table

        table = Table(title=f"Kernels of {self.name}", caption=self._caption(), caption_justify="left")
        for heading in ("path", "layer", "shape"):
            table.add_column(heading, overflow="fold")
        for heading in ("density", "active", "size", "sparse_flops", "dense_flops"):
            table.add_column(heading, justify="right", no_wrap=True)
        for kernel in self.kernels:
            shape = " x ".join(map(str, kernel.shape))
            density = f"{kernel.density:.4f}" if kernel.masked else "no mask"
            table.add_row(kernel.path, kernel.layer, shape, density, *_numbers(kernel))
        table.add_section()
        table.add_row("total", "", "", f"{self.density:.4f}", *_numbers(self), style="bold")
        return table

    def __str__(self) -> str:
        """Returns the table as text of at most 140 columns."""
        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=140).print(self)
        return text.getvalue()

    def _caption(self) -> str:
        notes = [
            "FLOPs: two for each weight and use, of one example's forward pass; products without a kernel are not "
            "counted."
        ]
        if self.sparse_flops is None:
            notes.append(
                "They are not known for a layer that is not a stock one or was not seen to run, or where dimensions "
                "of the input are not known (`inputs=` gives them)."
            )
        if self.unmasked:
            named = ", ".join(f"{path} ({kind}, {weights:,})" for path, kind, weights in self.unmasked)
            notes.append(f"Matrices without a mask (class, weights): {named}.")
        if self.masked:
            notes.append(f"Not sparse but masked: {'; '.join(f'{path}, {reason}' for path, reason in self.masked)}.")
        return "\n".join(notes)


def sparsity_summary(model: keras.Model, inputs: Any = None) -> SparsitySummary:
    """Returns density, active count and operations of each kernel of a model, masked or not.

    Args:
        model: built; functional, sequential or subclassed.
        inputs: arrays to call the model on, whose first example is used to count operations; needed
            where dimensions of the model's input are not known, and for subclassed models.

    Raises:
        ValueError: the model is not built.

    Example:
        >>> from keras_sparseflow.layers import MaskedDense
        >>> model = keras.Sequential([keras.Input((8,)), MaskedDense(10, density=0.25, mask_seed=0)])
        >>> summary = sparsity_summary(model)
        >>> summary.active, summary.size, summary.sparse_flops, summary.dense_flops
        (20, 80, 40, 160)
    """
    if not model.built:
        raise ValueError(f"`model` must be built: call {model.name!r} on data or give it a `keras.Input` first.")
    kernels = kernels_of(model)
    uses = uses_per_example(model, kernels, inputs)
    rows = tuple(_summarise(kernel, use) for kernel, use in zip(kernels, uses, strict=True))
    return SparsitySummary(model.name, rows, tuple(_unmasked(model)), tuple(_masked(kernels)))


def _summarise(kernel: Kernel, uses: int | None) -> KernelSummary:
    shape = _shape(kernel)
    size = math.prod(shape)
    active = size if kernel.mask is None else int(np.count_nonzero(ops.convert_to_numpy(kernel.mask)))
    return KernelSummary(
        path=kernel.path,
        layer=type(
            next(layer for layer in reversed(kernel.chain) if not isinstance(layer, KernelPart))
        ).__name__.lstrip("_"),
        shape=shape,
        masked=kernel.mask is not None,
        size=size,
        active=active,
        dense_flops=None if uses is None else 2 * size * uses,
        sparse_flops=None if uses is None else 2 * active * uses,
    )


def _shape(kernel: Kernel) -> tuple[int, ...]:
    """Returns the shape of the weights; a layer quantized to 4 bits stores two of them in one number."""
    layer: Any = kernel.layer
    return tuple(layer.kernel.shape) if layer.quantization_mode == "int4" else kernel.shape


def _unmasked(model: keras.Model) -> Iterable[tuple[str, str, int]]:
    matrices: Counter[int] = Counter()
    for matrix in dense_matrices_of(model):
        matrices[id(matrix.layer)] += math.prod(matrix.shape)
    for path, chain in [(model.name, (model,)), *walk(model)]:
        if matrices[id(chain[-1])]:
            yield path, type(chain[-1]).__name__, matrices[id(chain[-1])]


def _masked(kernels: Iterable[Kernel]) -> Iterable[tuple[str, str]]:
    with_mask = [kernel for kernel in kernels if kernel.mask is not None]
    masked = [kernel for kernel in with_mask if not isinstance(kernel.layer, SparseKernel)]
    if len(masked) < len(with_mask):
        for kernel in masked:
            yield kernel.path, why_masked(kernel, default_density()) or "`to_sparse` was told so"


def _sum(numbers: Iterable[int | None]) -> int | None:
    total = 0
    for number in numbers:
        if number is None:
            return None
        total += number
    return total


def _numbers(counts: KernelSummary | SparsitySummary) -> list[str]:
    numbers = (counts.active, counts.size, counts.sparse_flops, counts.dense_flops)
    return ["?" if number is None else f"{number:,}" for number in numbers]
