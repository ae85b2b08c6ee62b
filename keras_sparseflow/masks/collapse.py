"""Reports on masks: kernels, inputs and units without active weights, and active weights on no path."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_sparseflow.layers.backend import check_tensorflow
from keras_sparseflow.layers.lora import merged_lora
from keras_sparseflow.layers.structure import Kernel, kernels_of, masked_kernels_of
from keras_sparseflow.masks.removable import alive
from keras_sparseflow.masks.which_kernels import check_not_quantized


class CollapseError(ValueError):
    """Raised where masks would leave a kernel without any active weight."""


@dataclass(frozen=True)
class KernelMask:
    """Counts of the weights, inputs and units that the mask of one kernel leaves.

    Args:
        path: path of the kernel.
        shape: shape of the kernel.
        active: number of active weights.
        inputs: number of the layer's inputs: features, or channels.
        cut_inputs: number of inputs without any active weight.
        units: number of the layer's units or output channels.
        cut_units: number of units without any active weight.
        on_paths: number of active weights on a path of active weights from the model's inputs to its
            outputs; None if not counted.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="hidden")])
        >>> report = mask_report(model, {"hidden": np.array([[True, False], [True, False]])})
        >>> report.kernels[0]
        KernelMask(path='hidden', shape=(2, 2), active=2, inputs=2, cut_inputs=0, units=2, cut_units=1, on_paths=None)
        >>> report.kernels[0].density
        0.5
    """

    path: str
    shape: tuple[int, ...]
    active: int
    inputs: int
    cut_inputs: int
    units: int
    cut_units: int
    on_paths: int | None = None

    @property
    def size(self) -> int:
        """Number of weights, inactive ones included."""
        return math.prod(self.shape)

    @property
    def density(self) -> float:
        """Share of active weights, in [0, 1]."""
        return self.active / max(1, self.size)

    @property
    def collapsed(self) -> bool:
        """True if no weight is active or, if paths were counted, no active weight lies on a path."""
        return self.active == 0 or self.on_paths == 0


@dataclass(frozen=True)
class MaskReport:
    """Counts of what masks leave of each kernel of a model; printing shows a table.

    Args:
        kernels: one entry for each kernel, in the order of the layers.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="hidden")])
        >>> report = mask_report(model, {"hidden": np.array([[True, False], [True, False]])})
        >>> report.to_frame()[["path", "active", "cut_units"]].values.tolist()
        [['hidden', 2, 1]]
    """

    kernels: tuple[KernelMask, ...]

    @property
    def collapsed(self) -> tuple[str, ...]:
        """Paths of the kernels through which nothing can flow."""
        return tuple(kernel.path for kernel in self.kernels if kernel.collapsed)

    def to_frame(self) -> Any:
        """Returns a pandas DataFrame with one row per kernel: the fields of `KernelMask`, `size` and `density`."""
        import pandas as pd

        rows = [{**asdict(kernel), "size": kernel.size, "density": kernel.density} for kernel in self.kernels]
        return pd.DataFrame(rows).astype({"on_paths": "Int64"})

    def __rich__(self) -> Any:
        """Returns the table that `rich` shows in a terminal."""
        from rich.table import Table

        table = Table(title="Masks", caption=self._caption(), caption_justify="left")
        table.add_column("path", overflow="fold")
        for heading in ("shape", "density", "active", "on_paths", "cut_inputs", "cut_units"):
            table.add_column(heading, justify="right", no_wrap=True)
        for kernel in self.kernels:
            table.add_row(
                kernel.path,
                " x ".join(map(str, kernel.shape)),
                f"{kernel.density:.4f}",
                f"{kernel.active:,}",
                "?" if kernel.on_paths is None else f"{kernel.on_paths:,}",
                f"{kernel.cut_inputs:,} of {kernel.inputs:,}",
                f"{kernel.cut_units:,} of {kernel.units:,}",
                style="red" if kernel.collapsed else None,
            )
        return table

    def __str__(self) -> str:
        """Returns the table as text of at most 140 columns."""
        import io

        from rich.console import Console

        text = io.StringIO()
        Console(file=text, width=140).print(self)
        return text.getvalue()

    def _caption(self) -> str:
        if not self.collapsed:
            return "No kernel has collapsed."
        return f"Nothing flows through {len(self.collapsed)} of {len(self.kernels)}: {', '.join(self.collapsed)}."


def mask_report(
    model: keras.Model, masks: Mapping[str, np.ndarray] | None = None, *, paths: bool = False, data: Any = None
) -> MaskReport:
    """Returns how many weights of each kernel the masks leave active, and how many inputs and units they cut off.

    Args:
        model: a built model.
        masks: boolean arrays by the path of their kernel, as from `make_masks`; None for the model's own masks.
        paths: whether to count the active weights on paths from inputs to outputs, by one pass through
            the network with absolute weights (TensorFlow); kernels without a mask keep their weights.
        data: see `make_masks`; needed with `paths` where the model does not know its input shapes.

    Raises:
        ValueError: there are no masks, or a mask belongs to no kernel or has another shape than its kernel.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="hidden")])
        >>> report = mask_report(model, {"hidden": np.array([[True, False, False], [False, False, False]])})
        >>> report.kernels[0].cut_inputs, report.kernels[0].cut_units, report.collapsed
        (1, 2, ())
    """
    kernels = [kernel for kernel in kernels_of(model) if kernel.path in masks] if masks is not None else []
    if masks is None:
        kernels = masked_kernels_of(model)
        masks = {kernel.path: ops.convert_to_numpy(kernel.mask) for kernel in kernels}
    check_masks(kernels, masks)
    check_not_quantized(kernels, "Report on masks before you quantize.")
    counts = _on_paths(model, kernels, masks, data) if paths else [None] * len(kernels)
    rows = [_row(kernel, masks[kernel.path], count) for kernel, count in zip(kernels, counts, strict=True)]
    return MaskReport(tuple(rows))


def check_masks(kernels: Sequence[Kernel], masks: Mapping[str, np.ndarray]) -> None:
    """Raises ValueError unless there are masks, and each belongs to one of the kernels and has its shape."""
    shapes = {kernel.path: kernel.shape for kernel in kernels}
    if not masks:
        raise ValueError("`masks` must hold at least one mask; received none.")
    for path, mask in masks.items():
        if path not in shapes:
            raise ValueError(f"`masks` must name kernels that can have a mask; received {path!r}, which is none.")
        if np.shape(mask) != shapes[path]:
            raise ValueError(f"The mask of {path!r} must have shape {shapes[path]}; received {np.shape(mask)}.")


def _row(kernel: Kernel, mask: np.ndarray, on_paths: int | None) -> KernelMask:
    inputs, units = alive(kernel, np.asarray(mask))
    return KernelMask(
        path=kernel.path,
        shape=kernel.shape,
        active=int(np.count_nonzero(mask)),
        inputs=inputs.size,
        cut_inputs=int(np.count_nonzero(~inputs)),
        units=units.size,
        cut_units=int(np.count_nonzero(~units)),
        on_paths=on_paths,
    )


def _on_paths(model: keras.Model, kernels: Sequence[Kernel], masks: Mapping[str, np.ndarray], data: Any) -> list[int]:
    """Returns how many active weights of each kernel lie on a path from the model's inputs to its outputs."""
    check_tensorflow("mask_report(paths=True)")
    from keras_sparseflow.masks.absolute import absolute_flow, check_flow
    from keras_sparseflow.masks.scores.examples import as_batches

    # Positive weights cannot cancel: the gradient of the summed outputs is above zero exactly for the weights that a
    # path of active weights connects with inputs and outputs. So one backward pass finds the paths in any graph of
    # layers. Following units from kernel to kernel would need a rule for each kind of layer and join between them.
    with merged_lora(model):
        flow = absolute_flow(model, kernels, None if data is None else as_batches(data)[0][0])
        shares = flow([masks[kernel.path].astype(np.float64) for kernel in kernels])
        on_paths = [int(np.count_nonzero(share)) for share in shares]
        if not any(on_paths):  # an error if nothing flows even without masks
            check_flow(model, flow([np.ones(kernel.shape) for kernel in kernels]))
    return on_paths
