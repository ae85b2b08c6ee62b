"""The published activation sparsities of Jaiswal et al. 2022 (ToST), to stand beside ours."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.diagnostic_means import last_epochs
from keras_sparseflow.analysis.published.tost_accuracies import load_tost_others, masks_of, published_table

ACTIVATIONS = ("ReLU", "Swish", "Mish")
"""The activations that the table compares, in its order."""

EXACT, NEAR_ZERO = "activation_sparsity", "near_zero_activations"
"""The measures: exact zeros on training images, and, as the authors count, activations near zero on test images."""

_COLUMNS = ["mask", "density", "group", "activation", "measure", "mean", "std", "n", "lowest", "highest", "published"]


def beside_published_sparsity(
    diagnostics: pd.DataFrame, results: pd.DataFrame, study: Mapping[str, Any]
) -> pd.DataFrame:
    """Returns our activation sparsity in each group of residual blocks beside that of ToST's table 1.

    The sparsity of a run is the mean over the activations of a group at the last epoch that was measured. Runs without
    tweaks have ReLU; runs with ghost soft activations that stay to the end have Swish or Mish; other runs are left out.
    Masks and densities that were trained with fewer of these activations than others are left out too.

    Args:
        diagnostics: as `keras_sparseflow.records.read_diagnostics` returns it.
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        study: the content of `study.json`; its `published` must name table 1.

    Returns:
        A row for each `mask`, `density`, `group` (an int from 1), `activation` and `measure`, in percent: `mean`, `std`
        and `n` (runs) of ours; `lowest` and `highest` of the means of single activations of the group, since the
        authors count one that they do not name; and `published`, which is always of 90% sparse lottery tickets of
        ResNet-18 on CIFAR-100; it is NaN for a group that the paper lacks. Empty where the study names another table,
        or no activation sparsity was measured.
    """
    if published_table(study) != "1" or diagnostics.empty:
        return pd.DataFrame(columns=_COLUMNS)
    ours = _ours(_runs(results), diagnostics)
    published = load_tost_others("activation_sparsity").rename(columns={"row": "activation", "value": "published"})
    published = published.assign(group=published["column"].str.removeprefix("layer").astype(int))
    beside = ours.merge(published[["group", "activation", "published"]], on=["group", "activation"], how="left")
    rank = {name: place for place, name in enumerate(ACTIVATIONS)}
    order = beside.assign(activation=beside["activation"].map(rank))
    order = order.sort_values(["mask", "density", "group", "activation", "measure"], kind="stable")
    return beside.loc[order.index, _COLUMNS].reset_index(drop=True)


def _runs(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs that can be compared: their mask, density and activation."""
    stays = (results["tweaks"] == "GSw") & (results["ghost_decay"] == "none")
    soft = results["ghost_activation"].str.capitalize().where(stays)
    runs = pd.DataFrame(
        {
            "run_id": results["run_id"],
            "mask": masks_of(results),
            "density": results["density"],
            "activation": soft.mask(results["tweaks"] == "none", ACTIVATIONS[0]),
        }
    )
    runs = runs[runs["activation"].isin(ACTIVATIONS) & ~results["diverged"].astype(bool)]
    trained = runs.groupby(["mask", "density"])["activation"].transform("nunique")
    return runs[trained == trained.max()]


def _ours(runs: pd.DataFrame, diagnostics: pd.DataFrame) -> pd.DataFrame:
    rows = last_epochs(diagnostics[diagnostics["measure"].isin((EXACT, NEAR_ZERO))]).merge(runs, on="run_id")
    group = rows["layer"].astype(str).str.extract(r"(?:^|/)group(\d+)_", expand=False)
    rows = rows.assign(group=group, percent=100 * rows["value"].astype(float))[group.notna()].astype({"group": int})
    rows = rows.astype({"measure": str})
    key = ["mask", "density", "group", "activation", "measure"]
    by_run = rows.groupby([*key, "run_id"], sort=False)["percent"].mean().groupby(key, sort=False)
    by_layer = rows.groupby([*key, "layer"], sort=False, observed=True)["percent"].mean().groupby(key, sort=False)
    ours = by_run.agg(mean="mean", std="std", n="count")
    return ours.join(by_layer.agg(lowest="min", highest="max")).reset_index()
