"""The figures of a report: which there are, what stands beneath each, and which the numbers allow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from keras_sparseflow.analysis import figures
from keras_sparseflow.analysis.figures_files import file_stem, write_figures
from keras_sparseflow.analysis.frames.cells import arrange
from keras_sparseflow.analysis.frames.labels import flow_name, headline
from keras_sparseflow.analysis.panels import styled

_OVER_SEEDS = "mean over the seeds, in a band from the lowest to the highest"
_INTERVAL = "mean over widths and seeds with its 95 percent bootstrap interval; each dot is a run"
_AVERAGED = "Gradient flow, averaged over the measured epochs of each run."
_RANGE = "the band goes from the smallest to the largest run."


Drawn = tuple[str, str, str, Callable[[], Figure]]
"""Name, title and caption of a figure, and what draws it."""


@dataclass(frozen=True)
class Drawing:
    """A figure of a report.

    Attributes:
        name: of its files, without an ending.
        title: what it shows, in a few words.
        caption: how to read it, in sentences.
        figure: the figure.
    """

    name: str
    title: str
    caption: str
    figure: Figure


def draw_tables(
    results: pd.DataFrame, flow: pd.DataFrame, comparison: pd.DataFrame, value: str, measure: str
) -> dict[str, list[Drawing]]:
    """Returns, for each table of a study, the figures for which there are numbers.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        flow: as `keras_sparseflow.records.read_flow` returns it.
        comparison: as `tabulate` returns it.
        value: the column of the results that the arms are compared by.
        measure: the flow measure to draw.
    """
    table = arrange(results)["table"].reindex(results.index)
    labels = list(comparison["table"].unique())
    drawings = {}
    for label in labels:
        runs, cells = results[table == label], comparison[comparison["table"] == label]
        drawn = [*_of_arms(runs, cells, value), *(_of_flow(runs, flow, measure) if measure in results else [])]
        drawings[label] = kept(drawn, prefix=label if len(labels) > 1 else "")
    return drawings


def draw_correlations(results: pd.DataFrame, value: str, measure: str) -> dict[str, list[Drawing]]:
    """Returns, for each dataset, flow against performance over all runs, where there are numbers.

    Args:
        results: one row per finished run.
        value: what stands on the y-axis, if it is one that flow is correlated with; else the test accuracy.
        measure: the flow measure to draw.
    """
    value = value if value in ("test_accuracy", "test_loss") else "test_accuracy"
    datasets = list(results["dataset"].unique())
    drawings = {}
    for dataset in datasets:
        runs = results[results["dataset"] == dataset]
        drawn: Drawn = (
            f"{measure}_against_{value}",
            f"{capital(flow_name(measure))} against {headline(value).lower()}",
            "A point per run that did not diverge; above each panel Kendall's tau-b over all of them, and the mean of "
            "its absolute value within the configurations.",
            partial(figures.flow_against_accuracy, runs, [measure], value),
        )
        drawings[dataset] = kept([drawn] if measure in results else [], prefix=dataset if len(datasets) > 1 else "")
    return drawings


def kept(drawn: Sequence[Drawn], prefix: str) -> list[Drawing]:
    """Returns the figures whose numbers are there, laid out; `prefix` begins the names of their files."""
    drawings = []
    for name, title, caption, draw in drawn:
        try:
            figure = draw()
        except figures.NotApplicableError:
            continue
        _settle(figure)
        drawings.append(Drawing(file_stem(f"{prefix} {name}"), title, caption, figure))
    return drawings


def write_drawings(drawings: Sequence[Drawing], folder: Path) -> list[Path]:
    """Writes figures of a report as PNG and SVG and returns their paths."""
    return write_figures({drawing.name: drawing.figure for drawing in drawings}, folder)


@styled
def _settle(figure: Figure) -> None:
    """Lays a figure out once: it is written several times, and layout is the greater part of that work."""
    layout = figure.get_layout_engine()
    if layout is not None:
        layout.execute(figure)
        figure.set_layout_engine(None)  # "none" would have it drawn twice each time it is written


def _of_arms(runs: pd.DataFrame, cells: pd.DataFrame, value: str) -> list[Drawn]:
    name = headline(value)
    return [
        (
            "p_values",
            "p-values",
            "One-tailed Wilcoxon signed-rank test of each cell; bold and framed where p < 0.05.",
            lambda: figures.p_value_heatmap(cells),
        ),
        (
            f"{value}_of_variants",
            f"{name} of each variant against dense width",
            f"A line per variant: {_OVER_SEEDS}.",
            lambda: figures.variants_by_width(runs, value),
        ),
        (
            f"{value}_by_variant",
            f"{name} by variant",
            f"Both arms: {_INTERVAL}.",
            lambda: figures.accuracy_by_variant(runs, value),
        ),
        (
            f"{value}_by_width",
            f"{name} against dense width",
            f"Both arms: {_OVER_SEEDS}.",
            lambda: figures.accuracy_by_width(runs, value),
        ),
    ]


def _of_flow(runs: pd.DataFrame, flow: pd.DataFrame, measure: str) -> list[Drawn]:
    name = capital(flow_name(measure))
    return [
        (
            f"{measure}_of_variants",
            f"{name} of each variant against dense width",
            f"{_AVERAGED} A line per variant: {_OVER_SEEDS}.",
            lambda: figures.variants_by_width(runs, measure),
        ),
        (
            f"{measure}_by_variant",
            f"{name} by variant",
            f"{_AVERAGED} Both arms: {_INTERVAL}.",
            lambda: figures.flow_by_variant(runs, measure),
        ),
        (
            f"{measure}_by_width",
            f"{name} against dense width",
            f"{_AVERAGED} Both arms: {_OVER_SEEDS}.",
            lambda: figures.flow_by_width(runs, measure),
        ),
        (
            f"{measure}_over_epochs",
            f"{name} over the epochs",
            f"Mean over all widths and seeds; {_RANGE}",
            lambda: figures.flow_over_epochs(flow, runs, measure),
        ),
        (
            f"{measure}_of_layers",
            f"{name} of each layer over the epochs",
            "A line per layer: mean over all widths and seeds with its 95 percent bootstrap interval.",
            lambda: figures.layers_over_epochs(flow, runs, measure),
        ),
        (
            f"{measure}_per_layer",
            f"{name} layer by layer",
            f"Mean over all epochs, widths and seeds; {_RANGE}",
            lambda: figures.flow_per_layer(flow, runs, measure),
        ),
    ]


def capital(words: str) -> str:
    return words[:1].upper() + words[1:]
