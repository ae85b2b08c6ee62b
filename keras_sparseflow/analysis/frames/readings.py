"""Readings of gradient flow: the one by which a report judges, and the rows and results of that one."""

import pandas as pd

from keras_sparseflow.flow.measure_table import TOTAL

_COLUMNS = ("flow_reading", "reading")
"""The column that names the reading: of results, and of rows of flow."""


def judged_reading(flow: pd.DataFrame) -> str:
    """Returns the reading that a study is judged by: "end", as in the paper, where every run has it, else "steps".

    Args:
        flow: as `keras_sparseflow.records.read_flow` returns it.
    """
    ends = flow.loc[flow["reading"] == "end", "run_id"]
    return "end" if len(ends) and {*ends.unique()} == {*flow["run_id"].unique()} else "steps"


def of_one_reading(flow: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of the reading that a study is judged by; all rows of a frame that names no reading.

    Args:
        flow: as `keras_sparseflow.records.read_flow` returns it.
    """
    return flow[flow["reading"] == judged_reading(flow)] if "reading" in flow else flow


def judge(results: pd.DataFrame, flow: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns results and rows of flow of one reading, that by which a study is judged.

    A run without this reading, in a study of which other runs have it, has no flow.

    Args:
        results: as `keras_sparseflow.records.read_results` returns it.
        flow: as `keras_sparseflow.records.read_flow` returns it.
    """
    if flow.empty:
        return results, flow
    reading = judged_reading(flow)
    chosen = flow[flow["reading"] == reading]
    if set(results["flow_reading"].dropna()) == {reading}:
        return results, chosen
    return _with_means(results, chosen, reading), chosen


def by_other_reading(results: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame | None:
    """Returns results whose flow is of the reading by which a study is not judged; None unless every run has both.

    Args:
        results: as `keras_sparseflow.records.read_results` returns it.
        flow: as `keras_sparseflow.records.read_flow` returns it.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> by_other_reading(read_results("runs/demo"), read_flow("runs/demo")) is None
        True
    """
    if flow.empty:
        return None
    other = flow[flow["reading"] != judged_reading(flow)]
    if {*other["run_id"].unique()} != {*flow["run_id"].unique()} or other["reading"].nunique() != 1:
        return None
    return _with_means(results, other, str(other["reading"].iloc[0]))


def _with_means(results: pd.DataFrame, flow: pd.DataFrame, reading: str) -> pd.DataFrame:
    """Returns results with the mean over the measured epochs of each measure of flow, of rows of one reading."""
    means = flow[flow["layer"] == TOTAL].pivot_table("value", "run_id", "measure", aggfunc="mean", observed=True)
    columns = {str(measure): results["run_id"].map(means[measure]) for measure in means}
    made = results.assign(flow_reading=reading, **columns)
    made.attrs = results.attrs
    return made


def reading_of(frame: pd.DataFrame) -> str:
    """Returns the reading that results or rows of flow name; "" where they name none.

    Example:
        >>> reading_of(pd.DataFrame({"flow_reading": ["end", "end"]}))
        'end'
    """
    named = [value for column in _COLUMNS if column in frame for value in frame[column].dropna().unique()]
    return " or ".join(dict.fromkeys(map(str, named)))
