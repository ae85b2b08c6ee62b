"""Diagnostics of a density study as numbers: over the epochs, and of trained networks."""

import pandas as pd

from keras_sparseflow.analysis.frames.densities import PLACE, arrange_densities, rows_of_one_run_each

_GROUP = [*PLACE, "density", "epoch", "measure", "layer"]


def tabulate_diagnostics(diagnostics: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Returns the mean of each diagnostic over the seeds, and its spread; diverged runs are left out.

    Args:
        diagnostics: as `keras_sparseflow.records.read_diagnostics` returns it.
        results: one row per finished run of a density study.

    Returns:
        A DataFrame in the order of `arrange_densities` with the columns `table`, `method`, `panel`, `line`, `density`,
        `epoch`, `measure`, `layer`, `mean`, `min`, `max` and `n`; layers are in the network's order.
    """
    placed = arrange_densities(results)
    trained = placed.loc[~placed["diverged"].astype(bool), ["run_id", *PLACE, "density", "seed"]]
    rows = trained.merge(diagnostics, on="run_id").astype({"value": float})
    rows = rows_of_one_run_each(rows, by=["measure"])
    groups = rows.groupby(_GROUP, sort=False)["value"]
    return groups.agg(mean="mean", min="min", max="max", n="count").reset_index()


def last_epochs(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of the last epoch that was measured of each run."""
    return rows[rows["epoch"] == rows.groupby("run_id")["epoch"].transform("max")]
