"""Made-up studies as the numbers that a report is made from, without a folder."""

import pandas as pd

from keras_sparseflow.analysis.frames.study_source import Source
from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.first_screen import answer
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.warnings import warnings

_MEASURED = ["run_id", "epoch", "measure", "layer", "value"]


def numbers_of(results, study=None, value="test_accuracy", diverged="worst", measure="egf_2", **frames):
    """Returns the numbers of a study; `history`, `flow`, `diagnostics` and `landscape` are empty unless given."""
    empty = {
        "history": pd.DataFrame(columns=["run_id", "epoch", "test_accuracy", "test_loss"]),
        "flow": pd.DataFrame(columns=[*_MEASURED, "reading"]),
        "diagnostics": pd.DataFrame(columns=_MEASURED),
        "landscape": pd.DataFrame(columns=["run_id", "diagnostic", "x", "y", "loss"]),
    }
    asked = {"value": value, "measure": measure, "diverged": diverged, "figure_files": False}
    return StudyNumbers(Source(study=study or {}, results=results, **{**empty, **frames}, **asked))


def first_screen(*given, **options):
    """Returns the effects, the answer and the warnings of a study."""
    numbers = numbers_of(*given, **options)
    found = effects(numbers)
    return found, answer(numbers, found), warnings(numbers, found)


def effects_and_answer(*given, **options):
    """Returns the effects and the answer of a study."""
    numbers = numbers_of(*given, **options)
    found = effects(numbers)
    return found, answer(numbers, found)
