"""The conditions of the published p-values, and differences of a study from them."""

import pandas as pd

from keras_sparseflow.analysis.published.tessera_tables import EPOCHS

PAIRS = 15
"""Pairs of each published p-value: five widths, three seeds."""


def published_differences(results: pd.DataFrame, comparison: pd.DataFrame) -> list[str]:
    """Returns the differences of a study from the conditions of the published p-values, as phrases.

    Args:
        results: one row per finished run.
        comparison: the table that `with_published` returns for them.
    """
    cells = comparison[comparison["published_p"].notna()]
    if cells.empty:
        return []
    said = []
    runs = results[results["dataset"].isin(cells["dataset"])]
    for dataset in sorted(cells["dataset"].unique()):
        epochs = sorted(runs.loc[runs["dataset"] == dataset, "epochs"].unique()) if "epochs" in runs else []
        if epochs and epochs != [EPOCHS[dataset]]:
            said.append(f"{', '.join(map(str, epochs))} epochs on {dataset} (paper: {EPOCHS[dataset]})")
    if "train_size" in runs and runs["train_size"].notna().any():
        sizes = ", ".join(f"{size:g}" for size in sorted(runs["train_size"].dropna().unique()))
        said.append(f"{sizes} training images (paper: all)")
    if "validation_size" in runs and runs["validation_size"].notna().any():
        sizes = ", ".join(f"{size:g}" for size in sorted(runs["validation_size"].dropna().unique()))
        said.append(f"{sizes} training images held out (paper: none)")
    if "image_size" in runs and runs["image_size"].notna().any():
        sizes = ", ".join(f"{size:g} x {size:g}" for size in sorted(runs["image_size"].dropna().unique()))
        said.append(f"images of {sizes} pixels (paper: the original size)")
    if (cells["pairs"] != PAIRS).any():
        fewest, most = cells["pairs"].min(), cells["pairs"].max()
        said.append(f"{fewest if fewest == most else f'{fewest} to {most}'} pairs per cell (paper: {PAIRS})")
    return said
