"""Functions that read studies as DataFrames, and pack them in one file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_sparseflow.records import files
from keras_sparseflow.records.columns import TABLES
from keras_sparseflow.records.folder import RunFolder
from keras_sparseflow.records.integrity import damage_of
from keras_sparseflow.records.study_file import PACKED, packed_file, read_revisions, read_study

if TYPE_CHECKING:
    import pandas as pd


def read_results(study_dir: str | Path, *, damaged: str = "raise") -> "pd.DataFrame":
    """Returns one row per finished member of the study: `run_id`, the spec's fields, the result's fields.

    The column of a flow measure holds its mean over the measured epochs, by the reading that `flow_reading` names:
    "end" where the run recorded it, else "steps".

    The column `empty_kernels` counts the kernels that began without any active weight.

    A run with several places in the study's comparison, such as a dense network in several matched pairs, has a row
    for each. The frame's `attrs["spec_columns"]` lists the fields of specs and the labels of members, such as the arm
    of a pair. A field that does not apply to a run has the default that the study records.

    Runs in the folder that are not part of the study's last plan are left out.

    Args:
        study_dir: the study's folder.
        damaged: "raise", or "leave_out" for runs whose files are not as they were written; see `damaged_runs`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> results = read_results("runs/demo")
        >>> len(results), results["arm"].unique().tolist()
        (24, ['sparse', 'dense'])
    """
    return _reader(study_dir, damaged).results()


def read_history(study_dir: str | Path, *, damaged: str = "raise") -> "pd.DataFrame":
    """Returns a row per finished run and epoch: `run_id` and the columns of `HISTORY_COLUMNS`.

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> read_history("runs/demo").columns.tolist()
        ['run_id', 'epoch', 'loss', 'accuracy', 'test_loss', 'test_accuracy']
    """
    return _reader(study_dir, damaged).table("history")


def read_flow(study_dir: str | Path, *, damaged: str = "raise") -> "pd.DataFrame":
    """Returns a row per finished run, measured epoch, reading, measure and layer: `run_id` and `FLOW_COLUMNS`.

    The reading "end" is of the mean gradient over the training images at the end of the epoch; "steps" is the mean
    over the steps of the epoch. The value for the whole network has the layer "total".

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> flow = read_flow("runs/demo")
        >>> flow["layer"].unique().tolist(), flow["epoch"].unique().tolist()
        (['hidden_1', 'hidden_2', 'output', 'total'], [0, 14, 29])
    """
    return _reader(study_dir, damaged).table("flow")


def read_diagnostics(study_dir: str | Path, *, damaged: str = "raise") -> "pd.DataFrame":
    """Returns a row per measured epoch, measure and layer of each finished run that has diagnostics.

    Measures are `top_eigenvalue`, its `top_eigenvalue_residual`, `activation_sparsity`, and `near_zero_activations`.

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> read_diagnostics("runs/demo").columns.tolist()
        ['run_id', 'epoch', 'measure', 'layer', 'value']
    """
    return _reader(study_dir, damaged).table("diagnostics")


def read_validation(study_dir: str | Path, *, damaged: str = "raise") -> "pd.DataFrame":
    """Returns a row per epoch of each finished run that held images out: `run_id` and `VALIDATION_COLUMNS`.

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> read_validation("runs/demo").columns.tolist()
        ['run_id', 'epoch', 'loss', 'accuracy']
    """
    return _reader(study_dir, damaged).table("validation")


def read_landscape(study_dir: str | Path, *, damaged: str = "raise") -> "pd.DataFrame":
    """Returns a row per finished run and point around its trained weights: `run_id` and `LANDSCAPE_COLUMNS`.

    For the diagnostic `loss_along`, x is the distance along the Hessian's top eigenvector, and y is 0. For
    `loss_surface`, x and y are the distances along two random directions, see `keras_sparseflow.diagnostics`.

    Args:
        study_dir: the study's folder.
        damaged: "raise" or "leave_out", see `read_results`.

    Raises:
        ValueError: a file is damaged; the message names it.

    Example:
        >>> read_landscape("runs/demo").columns.tolist()
        ['run_id', 'diagnostic', 'x', 'y', 'loss']
    """
    return _reader(study_dir, damaged).table("landscape")


def damaged_runs(study_dir: str | Path, *, arrays: bool = False) -> dict[str, str]:
    """Returns what is wrong with each finished run whose files are not as they were written, by its id.

    All files are read, also where a cache holds their rows. Of a packed study no run is damaged, or the whole file is.

    Args:
        study_dir: the study's folder.
        arrays: whether stored arrays, which may be large, are looked at too.

    Raises:
        ValueError: a packed study's file is damaged.

    Example:
        >>> damaged_runs("runs/demo")
        {}
    """
    if packed_file(study_dir) is not None:
        reader = _reader(study_dir, "raise")
        for name in ("results", *TABLES):
            reader.rows(name)
        return {}
    folders = [RunFolder(Path(study_dir), run_id) for run_id in read_study(study_dir)["run_ids"]]
    found = {folder.run_id: damage_of(folder.path, arrays=arrays) for folder in folders if folder.finished}
    return {run_id: damage for run_id, damage in found.items() if damage}


def pack_study(study_dir: str | Path, output_dir: str | Path, *, every_layer: bool = False) -> Path:
    """Writes the rows of a study's finished runs to the file `runs.npz` in a folder, and returns that file.

    The folder is then read and reported on as that of the study: all numbers are kept to the last bit. Results,
    histories, diagnostics, losses around trained weights and flow of whole networks are kept of every run. Flow of
    single layers, most of what a study holds, is kept of the study's measure and of the reading that reports judge by.

    Args:
        study_dir: the study's folder; a study of which a run is damaged is refused.
        output_dir: the folder to write to; it is made if it does not exist.
        every_layer: whether flow of single layers is kept of all measures and readings, which takes twice the room.

    Raises:
        FileNotFoundError: `study_dir` holds no study.
        ValueError: no run is finished, or a file is damaged.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = pack_study("runs/demo", folder)
        ...     read_results(folder).equals(read_results("runs/demo"))
        True
    """
    from keras_sparseflow.records.packed import thinned, write_packed

    reader = _reader(study_dir, "raise")
    tables = {name: reader.rows(name) for name in ("results", *TABLES)}
    if not tables["results"].runs:
        raise ValueError(f"{study_dir} has no finished run to pack: expected one or more. Run the study first.")
    if not every_layer:
        tables["flow"] = thinned(tables["flow"], reader.study.get("measure") or "egf_2")
    path = Path(output_dir) / PACKED
    with files.written_or_named(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_packed(path, reader.study, read_revisions(study_dir), tables)
    return path


def _reader(study_dir: str | Path, damaged: str) -> Any:
    from keras_sparseflow.records.study_reader import StudyReader  # with pandas, which takes most of a second to load

    return StudyReader(study_dir, damaged)
