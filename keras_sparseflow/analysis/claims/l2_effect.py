"""What L2 does: each run with it beside the run that differs by L2 alone."""

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.cells import hashable, require_columns, spec_columns
from keras_sparseflow.analysis.frames.pairs import worst_value
from keras_sparseflow.analysis.statistics.signed_rank import wilcoxon_signed_rank

_COLUMNS = ("optimizer", "arm", "pairs", "egf_ratio", "median_difference", "p_lower")


def effect_of_l2(results: pd.DataFrame, measure: str = "egf_2", value: str = "test_accuracy") -> pd.DataFrame:
    """Returns what L2 does to gradient flow and accuracy, per optimizer and arm.

    A run with L2 is paired with the run of the same spec whose variant lacks L2 alone: L2 with NR, L2_BN
    with BN. Decoupled weight decay, which leaves the gradient as it is, takes no part.

    Args:
        results: one row per finished run, as `keras_sparseflow.records.read_results` returns it.
        measure: the column with the gradient flow.
        value: the column with the accuracy; a diverged run is given the worst, 0.

    Returns:
        A DataFrame with `optimizer`, `arm`, `pairs` (of runs), `egf_ratio` (mean flow with L2 over mean flow
        without, over the pairs in which both are finite and neither run diverged; NaN where there is none),
        `median_difference` (of the accuracies, with L2 minus without) and `p_lower` (one-tailed signed-rank
        test of H1: lower with L2).

    Raises:
        ValueError: a column is missing.

    Example:
        >>> from keras_sparseflow.records import read_results
        >>> results = read_results("runs/demo").query("variant == 'NR'")
        >>> penalised = results.assign(variant="L2", run_id=results["run_id"] + "-L2", egf_2=results["egf_2"] / 2)
        >>> effect_of_l2(pd.concat([results, penalised]))[["arm", "pairs", "egf_ratio"]].round(3).values.tolist()
        [['dense', 6, 0.5], ['sparse', 6, 0.5]]
    """
    require_columns(results, ["variant", "optimizer", "arm", "diverged", measure, value])
    pairs = _pair_l2(_coupled(results), measure, value)
    rows = [
        {"optimizer": optimizer, "arm": arm, **_effect(inside)}
        for (optimizer, arm), inside in pairs.groupby(["optimizer", "arm"])
    ]
    return pd.DataFrame(rows, columns=list(_COLUMNS))


def _coupled(results: pd.DataFrame) -> pd.DataFrame:
    """Returns the runs whose L2, where they have it, is a term of the loss."""
    decoupled = results["optimizer"] == "adamw"
    if "l2_form" in results:
        decoupled = (results["l2_form"] == "decoupled") | (decoupled & (results["l2_form"] == "auto"))
    return results[~decoupled].reset_index(drop=True)


def _pair_l2(results: pd.DataFrame, measure: str, value: str) -> pd.DataFrame:
    """Returns a row per pair: optimizer, arm, and flow and accuracy with and without L2."""
    parts = results["variant"].map(lambda variant: sorted(set(variant.split("_")) - {"NR"}))
    key = [column for column in spec_columns(results) if column != "variant"]
    same = hashable(results[key]).assign(variant=parts.map(lambda names: "_".join(n for n in names if n != "L2")))
    diverged = results["diverged"].astype(bool)
    runs = pd.DataFrame(
        {
            "spec": same.groupby([*key, "variant"], dropna=False).ngroup(),
            "l2": parts.map(lambda names: "L2" in names).astype(bool),
            "optimizer": results["optimizer"],
            "arm": results["arm"],
            "flow": pd.to_numeric(results[measure]).astype(float).mask(diverged),
            "accuracy": pd.to_numeric(results[value]).astype(float).mask(diverged, worst_value(value)),
        }
    )
    runs = runs[runs["accuracy"].notna()]
    without = runs.loc[~runs["l2"], ["spec", "flow", "accuracy"]]
    return runs[runs["l2"]].merge(without, on="spec", suffixes=("_with", "_without"), validate="one_to_one")


def _effect(pairs: pd.DataFrame) -> dict[str, float]:
    test = wilcoxon_signed_rank(pairs["accuracy_without"], pairs["accuracy_with"])
    flow = pairs[["flow_with", "flow_without"]].to_numpy()
    flow = flow[np.isfinite(flow).all(axis=1)]
    without = flow[:, 1].sum()
    return {
        "pairs": len(pairs),
        "egf_ratio": float(flow[:, 0].sum() / without) if without else np.nan,
        "median_difference": -test.median_difference,
        "p_lower": test.p_value,
    }
