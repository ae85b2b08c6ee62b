"""Every figure of a report by one call on frames, as a notebook holds them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.figures.gallery import Drawing, drawings_of, ideas
from keras_sparseflow.analysis.frames.cells import completed
from keras_sparseflow.analysis.frames.study_source import MEASURE, Source, with_methods
from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.first_screen import effect_drawing
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers


def draw_figures(
    sections: Sequence[str] | None,
    results: pd.DataFrame,
    value: str = "test_accuracy",
    measure: str = MEASURE,
    diverged: str = "worst",
    **frames: Any,
) -> list[Drawing]:
    """Returns every figure of a report, or those of some sections, for which there are numbers.

    The p-values of pairs and the effects are computed from the results. Any other figure is left out where a frame that
    it needs is not given.

    Args:
        sections: in whose order the figures of a table stand; None for all.
        results: one row per finished run.
        value: the column of the results that networks are compared by.
        measure: the flow measure to draw.
        diverged: "worst" or "drop", see `pair_arms`.
        **frames: what figures are drawn from besides, by the name of their parameter: `flow`, `diagnostics` and
            `landscape`, as `keras_sparseflow.records` reads them; `comparison` and `effects` in place of the computed
            ones.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> drawn = draw_figures(["flow"], read_results("runs/demo"), flow=read_flow("runs/demo"))
        >>> drawn[0].name
        'egf_2_of_variants'
    """
    wanted = list(dict.fromkeys(idea.section for idea in ideas())) if sections is None else list(sections)
    none: dict[str, Any] = dict.fromkeys(("history", "flow", "diagnostics", "landscape"), pd.DataFrame())
    chosen: dict[str, Any] = {"value": value, "measure": measure}
    source = Source({}, with_methods(completed(results)), **none, **chosen, diverged=diverged, figure_files=False)
    numbers = StudyNumbers(source)
    computed = {"comparison": numbers.comparison} if numbers.of_pairs and "tests" in wanted else {}
    found = drawings_of(wanted, numbers.results, {**chosen, **computed, **frames})
    if "answer" not in wanted or "effects" in frames:
        return found
    first = effect_drawing(effects(numbers), value)
    return found if first is None else [first, *found]
