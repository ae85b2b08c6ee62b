"""The run store: the files of a study, and functions that read them as DataFrames.

    runs/<study>/study.json                  the plan, with every choice, versions, machine
    runs/<study>/plan.json                   which networks train together, for every process and resume
    runs/<study>/<run_id>/spec.json          the spec of one run, its seeds and its counts
    runs/<study>/<run_id>/checkpoint.npz     while the run trains: everything needed to resume
    runs/<study>/<run_id>/rewind.npz         of a lottery ticket's dense round: the weights that later rounds begin with
    runs/<study>/<run_id>/masks.npz          of each round of a lottery ticket: its masks
    runs/<study>/<run_id>/weights.npz        of each round of a lottery ticket: its final weights
    runs/<study>/<run_id>/history.csv        a row per epoch
    runs/<study>/<run_id>/flow.csv           a row per measured epoch, reading, measure and layer
    runs/<study>/<run_id>/diagnostics.csv    a row per measured epoch, measure and layer, if the spec names diagnostics
    runs/<study>/<run_id>/validation.csv     a row per epoch, if images are held out for validation
    runs/<study>/<run_id>/landscape.csv      a row per point at which the trained network's loss was computed
    runs/<study>/<run_id>/result.json        written last: its presence means finished; with a digest of every file
    runs/<study>/<run_id>/events/            TensorBoard
    runs/<study>/events/                     TensorBoard: the columns of the study's runs
    <folder>/runs.npz                        a packed study: the rows of all its finished runs in one compressed file
    runs/<study>/.cache/rows.sqlite          rows of many runs, read at once the next time; may be removed

Every file is written under another name and then renamed, so a reader sees a whole file or none, even if
the writer is killed. Files are JSON, CSV and plain arrays, never pickles. Reading them needs no TensorFlow.
"""

from keras_sparseflow.records.columns import (
    DIAGNOSTICS_COLUMNS,
    FLOW_COLUMNS,
    HISTORY_COLUMNS,
    LANDSCAPE_COLUMNS,
    VALIDATION_COLUMNS,
)
from keras_sparseflow.records.files import read_json, write_atomic, write_json
from keras_sparseflow.records.folder import RunFolder, study_lock
from keras_sparseflow.records.reading import (
    damaged_runs,
    pack_study,
    read_diagnostics,
    read_flow,
    read_history,
    read_landscape,
    read_results,
    read_validation,
)
from keras_sparseflow.records.study_file import read_revisions, read_study

__all__ = [
    "DIAGNOSTICS_COLUMNS",
    "FLOW_COLUMNS",
    "HISTORY_COLUMNS",
    "LANDSCAPE_COLUMNS",
    "VALIDATION_COLUMNS",
    "RunFolder",
    "damaged_runs",
    "pack_study",
    "read_diagnostics",
    "read_flow",
    "read_history",
    "read_json",
    "read_landscape",
    "read_results",
    "read_revisions",
    "read_study",
    "read_validation",
    "study_lock",
    "write_atomic",
    "write_json",
]
