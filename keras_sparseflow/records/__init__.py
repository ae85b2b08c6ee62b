"""The run store: what a study leaves on disk, and how to read it back as DataFrames.

    runs/<study>/study.json                  what was planned, with every choice, versions, machine
    runs/<study>/<run_id>/spec.json          the spec of one run and what it came to (counts, seeds)
    runs/<study>/<run_id>/checkpoint.npz     while it trains: everything needed to go on
    runs/<study>/<run_id>/rewind.npz         of a lottery ticket's dense round: the weights that later rounds begin with
    runs/<study>/<run_id>/masks.npz          of each round of a lottery ticket: its masks
    runs/<study>/<run_id>/weights.npz        and its weights in the end
    runs/<study>/<run_id>/history.csv        a row per epoch
    runs/<study>/<run_id>/flow.csv           a row per measured epoch, reading, measure and layer
    runs/<study>/<run_id>/diagnostics.csv    a row per measured epoch, measure and layer, if the spec names diagnostics
    runs/<study>/<run_id>/landscape.csv      a row per point at which the trained network's loss was taken
    runs/<study>/<run_id>/result.json        written last: its presence means finished
    runs/<study>/<run_id>/events/            TensorBoard
    runs/<study>/events/                     TensorBoard: which columns the study's runs have there

Every file is written beside its place and renamed into it, so a reader sees a whole file or none,
whenever the writer is killed. Files are JSON, CSV and plain arrays, never pickles. TensorFlow is
not needed to read them.
"""

from keras_sparseflow.records.columns import DIAGNOSTICS_COLUMNS, FLOW_COLUMNS, HISTORY_COLUMNS, LANDSCAPE_COLUMNS
from keras_sparseflow.records.files import read_json, write_atomic, write_json
from keras_sparseflow.records.folder import RunFolder, study_lock
from keras_sparseflow.records.reading import (
    read_diagnostics,
    read_flow,
    read_history,
    read_landscape,
    read_results,
    read_study,
)

__all__ = [
    "DIAGNOSTICS_COLUMNS",
    "FLOW_COLUMNS",
    "HISTORY_COLUMNS",
    "LANDSCAPE_COLUMNS",
    "RunFolder",
    "read_diagnostics",
    "read_flow",
    "read_history",
    "read_json",
    "read_landscape",
    "read_results",
    "read_study",
    "study_lock",
    "write_atomic",
    "write_json",
]
