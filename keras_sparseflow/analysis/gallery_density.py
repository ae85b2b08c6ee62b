"""The figures of a density study's report: which there are, and what stands beneath each."""

from functools import partial

import pandas as pd

from keras_sparseflow.analysis import figures
from keras_sparseflow.analysis.figures_density_curves import Lines
from keras_sparseflow.analysis.frames.densities import arrange_densities
from keras_sparseflow.analysis.frames.labels import flow_name, headline
from keras_sparseflow.analysis.gallery import Drawing, Drawn, capital, kept
from keras_sparseflow.analysis.gallery_diagnostics import LINES, RANGE, diagnostic_figures
from keras_sparseflow.analysis.report.sources import Source

_MEAN = "mean over the seeds with its 95 percent bootstrap interval (of three seeds, their range); each dot is a run"
_DENSE = "The dotted line continues the level of the dense network, where one was trained."
_AVERAGED = "Gradient flow, averaged over the measured epochs of each run."


def draw_densities(source: Source) -> dict[str, list[Drawing]]:
    """Returns, for each table of a density study, the figures for which there are numbers."""
    results, value, measure = source.results, source.value, source.measure
    table = arrange_densities(results)["table"]
    labels = list(table.unique())
    drawings = {}
    for label in labels:
        runs = results.loc[table.index[table == label]]
        drawn = _of_value(runs, value)
        if measure in results:
            drawn += _of_flow(runs, source.flow, value, measure)
        drawn += diagnostic_figures(runs, source.diagnostics, source.landscape)
        drawings[label] = kept(drawn, prefix=label if len(labels) > 1 else "")
    return drawings


def _of_value(runs: pd.DataFrame, value: str) -> list[Drawn]:
    name = headline(value)
    return [
        (
            f"{value}_by_density",
            f"{name} against density",
            f"A line per variant: {_MEAN}. {_DENSE}",
            partial(figures.variants_by_density, runs, value),
        ),
        (
            f"{value}_of_methods",
            f"{name} of each method against density",
            f"A line per method: {_MEAN}. {_DENSE}",
            partial(figures.methods_by_density, runs, value),
        ),
    ]


def _of_flow(runs: pd.DataFrame, flow: pd.DataFrame, value: str, measure: str) -> list[Drawn]:
    name, lines = capital(flow_name(measure)), _fewer_panels(runs)
    target = value if value in ("test_accuracy", "test_loss") else "test_accuracy"
    return [
        (
            f"{measure}_by_density",
            f"{name} against density",
            f"{_AVERAGED} A line per variant: {_MEAN}. {_DENSE}",
            partial(figures.variants_by_density, runs, measure),
        ),
        (
            f"{measure}_of_methods",
            f"{name} of each method against density",
            f"{_AVERAGED} A line per method: {_MEAN}. {_DENSE}",
            partial(figures.methods_by_density, runs, measure),
        ),
        (
            f"{measure}_against_{target}",
            f"{name} against {headline(target).lower()}",
            "A point per run that did not diverge; above each panel Kendall's tau-b over all of them, and the mean of "
            "its absolute value within the configurations, over densities and seeds.",
            partial(figures.densities_against_flow, runs, measure, target),
        ),
        *_over_epochs(runs, flow, measure, name),
        (
            f"{measure}_by_layer",
            f"{name} layer by layer",
            f"{LINES[lines]}: mean over seeds and all measured epochs, those before pruning included. {RANGE}",
            partial(figures.densities_by_layer, flow, runs, measure, lines),
        ),
    ]


def _over_epochs(runs: pd.DataFrame, flow: pd.DataFrame, measure: str, name: str) -> list[Drawn]:
    by_density = (
        f"{measure}_over_epochs",
        f"{name} over the epochs",
        f"{LINES['density']}: mean over the seeds. {RANGE} Where networks are pruned, a vertical line marks where that "
        "begins; until then all densities are the dense network.",
        partial(figures.densities_over_epochs, flow, runs, measure),
    )
    by_variant = (
        f"{measure}_of_variants_over_epochs",
        f"{name} of variants over the epochs",
        f"{LINES['variant']}: mean over the seeds. {RANGE}",
        partial(figures.densities_over_epochs, flow, runs, measure, "variant"),
    )
    return [by_variant] if _fewer_panels(runs) == "variant" else [by_density, by_variant]


def _fewer_panels(runs: pd.DataFrame) -> Lines:
    """Returns what lines stand for where panels are to be few: the densities, unless there are more variants."""
    placed = arrange_densities(runs)
    return "variant" if placed["line"].nunique() > placed["density"].nunique() else "density"
