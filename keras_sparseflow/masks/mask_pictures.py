"""Masks as pictures: what a notebook shows of them."""

import base64
import html
import io
from collections.abc import Iterable, Mapping

import numpy as np

_LARGEST = 256
"""Pixels at most along a side: larger masks are averaged over blocks."""


class Masks(dict[str, np.ndarray]):
    """Masks by the path of their kernel; a notebook shows each as a picture, active weights dark.

    Rows of a picture are a kernel's inputs (of a convolution, places of the window and channels), columns its outputs.

    Args:
        masks: arrays by name.
        **others: more of them.

    Example:
        >>> masks = Masks(hidden=np.array([[True, False]]))
        >>> masks["hidden"].shape, "data:image/png" in masks._repr_html_()
        ((1, 2), True)
    """

    def __init__(self, masks: Mapping[str, np.ndarray] | Iterable[tuple[str, np.ndarray]] = (), **others: np.ndarray):
        super().__init__(masks, **others)

    def _repr_html_(self) -> str:
        figures = (
            f'<figure style="display:inline-block;margin:.5em"><img style="image-rendering:pixelated;min-width:64px;'
            f'border:1px solid #999" src="data:image/png;base64,{_png(mask)}"><figcaption>{html.escape(path)}: '
            f"{int(mask.sum()):,} of {mask.size:,} active</figcaption></figure>"
            for path, mask in self.items()
        )
        return "".join(figures)


def _png(mask: np.ndarray) -> str:
    """Returns a mask as a PNG image, in base64."""
    from matplotlib.image import imsave

    content = io.BytesIO()
    imsave(content, _shares(mask), cmap="Greys", vmin=0, vmax=1, format="png")
    return base64.b64encode(content.getvalue()).decode()


def _shares(mask: np.ndarray) -> np.ndarray:
    """Returns the shares of active weights in blocks of a mask, as a matrix no larger than a picture may be."""
    shares = mask.reshape(-1, mask.shape[-1]).astype(float)
    for axis in (0, 1):
        blocks = min(shares.shape[axis], _LARGEST)
        edges = np.linspace(0, shares.shape[axis], blocks, endpoint=False).astype(int)
        sizes = np.diff([*edges, shares.shape[axis]])
        shares = np.add.reduceat(shares, edges, axis=axis) / np.expand_dims(sizes, 1 - axis)
    return shares
