"""Figures as files, to be put into a paper or on a slide."""

import re
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from keras_sparseflow import records
from keras_sparseflow.analysis.figures.drawing.svg import figure_bytes

FORMATS = ("png", "svg")


def write_figures(
    figures: Mapping[str, Figure], folder: str | Path, dpi: int = 150, drawn: Mapping[str, bytes] | None = None
) -> list[Path]:
    """Writes each figure as PNG and as SVG, each file atomically, and returns their paths.

    Args:
        figures: the figures by name. A file is named after it, in lower case, with an underscore for
            all but letters, digits, dots and hyphens: "EGF (2-norm), table 1" becomes `egf_2-norm_table_1.png`.
        folder: where to write; it is made if it is not there.
        dpi: dots per inch of the PNG.
        drawn: the content of SVG files by name, where there is one already.

    Raises:
        ValueError: two names come to one file name, or a name to none; nothing is written then.

    Example:
        >>> from matplotlib.figure import Figure
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     [path.name for path in write_figures({"EGF (2-norm)": Figure(figsize=(1, 1))}, folder)]
        ['egf_2-norm.png', 'egf_2-norm.svg']
    """
    stems = {name: file_stem(name) for name in figures}
    if len(set(stems.values())) < len(stems):
        twice = next(name for name, stem in stems.items() if list(stems.values()).count(stem) > 1)
        raise ValueError(f"`figures` must have names that differ as file names; received {twice!r} and another one.")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        for format in FORMATS:
            paths.append(folder / f"{stems[name]}.{format}")
            ready = (drawn or {}).get(name) if format == "svg" else None
            records.write_atomic(paths[-1], ready or figure_bytes(figure, format, dpi))
    return paths


def file_stem(name: str) -> str:
    """Returns a name as that of a file, without its ending: lower case, valid in every file system.

    Example:
        >>> file_stem("Test accuracy: cifar10, learning rate 0.001")
        'test_accuracy_cifar10_learning_rate_0.001'
    """
    stem = re.sub(r"[^a-z0-9.-]+", "_", name.lower()).strip("_.")
    if not stem:
        raise ValueError(f"`figures` must have names with letters or digits in them; received {name!r}.")
    return stem
