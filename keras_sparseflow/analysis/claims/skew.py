"""The skew of BatchNorm: how much more it moves the gradients of sparse networks than of dense ones, layer by layer."""

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.claims.case import LOWER
from keras_sparseflow.analysis.claims.evidence import gather, number
from keras_sparseflow.analysis.claims.run_by_run import EGF, Comparison, part
from keras_sparseflow.analysis.frames.cells import require_columns
from keras_sparseflow.analysis.statistics.signed_rank import SignedRankTest, wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import Verdict, correct, judge

ARMS = ("sparse", "dense")
_PLACE = ("dataset", "hidden_layers", "learning_rate", "activation", "optimizer")
"""Columns that tell the rows of one layer apart."""


def batchnorm_skew(results: pd.DataFrame, flow: pd.DataFrame) -> pd.DataFrame:
    """Returns how BatchNorm changes the gradient flow of each layer in sparse and in dense networks of equal capacity.

    A change is the ratio of flow in a run with BatchNorm to that in the run without it that is the same in all else.
    The skew is the ratio of the change in a sparse network to that in the dense one of the same capacity and seed.
    Changes of one width and seed count once, with their mean, also where variants with other parts have several. Runs
    that diverged are left out, and layers without any gradient, which have no ratio.

    Args:
        results: one row per finished run of pairs, as `keras_sparseflow.records.read_results` returns it.
        flow: rows of one measure and one reading, as `keras_sparseflow.records.read_flow` returns them.

    Returns:
        A DataFrame with a row for each optimizer (dataset, depth, rate and activation apart) and layer, "total" being
        the whole network. `sparse_without`, `sparse_with`, `dense_without` and `dense_with` are geometric means of
        flow; `sparse`, `dense` and `skew` typical ratios (Hodges-Lehmann), each with `_low` and `_high` of its 95%
        interval; `pairs` their number. `answer` and `reason` are the verdict on "BatchNorm moves the sparse network
        farther", in the direction of both typical changes together, and `p_holm` its p-value, corrected over all
        rows. Empty where the study has no such pairs.

    Raises:
        ValueError: a column is missing, or `flow` has rows of several measures or readings.

    Example:
        >>> from keras_sparseflow.records import read_flow, read_results
        >>> flow = read_flow("runs/demo").query("measure == 'egf_2' and reading == 'end'")
        >>> table = batchnorm_skew(read_results("runs/demo"), flow)
        >>> table[["optimizer", "layer", "pairs", "answer"]].values.tolist()[0]
        ['adam', 'hidden_1', 6, 'too few pairs to tell']
    """
    require_columns(flow, ["run_id", "epoch", "layer", "value"], "flow")
    for column in {"measure", "reading"} & {*flow}:
        if len(names := sorted(set(flow[column]))) > 1:
            raise ValueError(f"`flow` must have rows of one {column}; received {', '.join(names)}: choose one.")
    rows, tests = [], []
    if "arm" in results and not flow.empty:
        means = flow.astype({"value": float}).groupby(["run_id", "layer"], sort=False, observed=True)["value"].mean()
        for layer in dict.fromkeys(flow["layer"]):
            of_layer = results["run_id"].map(means.xs(layer, level="layer"))
            changes = _changes(results.assign(egf_2=of_layer))
            for _, inside in changes.groupby(number(changes, _PLACE), sort=False) if len(changes) else ():
                moved = {arm: inside[f"{arm}_with"] - inside[f"{arm}_without"] for arm in ARMS}
                typical = {arm: wilcoxon_signed_rank(moved[arm], np.zeros(len(inside))) for arm in ARMS}
                direction = 1 if sum(test.difference for test in typical.values()) >= 0 else -1
                tests.append(wilcoxon_signed_rank(direction * moved["sparse"], direction * moved["dense"]))
                groups = [f"{arm}_{which}" for arm in ARMS for which in ("without", "with")]
                rows.append(
                    {
                        **inside.iloc[0][[*_PLACE]],
                        "layer": layer,
                        **{group: float(np.exp(inside[group].mean())) for group in groups},
                        **{key: value for arm in ARMS for key, value in _ratio(arm, typical[arm]).items()},
                        **_ratio("skew", wilcoxon_signed_rank(moved["sparse"], moved["dense"])),
                        "pairs": len(inside),
                        "direction": direction,
                    }
                )
    p_holm, family = correct(tests)
    verdicts = [
        judge(test, float(p), family, show=lambda difference: f"\N{MULTIPLICATION SIGN} {np.exp(abs(difference)):.3f}")
        for test, p in zip(tests, p_holm, strict=True)
    ]
    return _with_verdicts(pd.DataFrame(rows), p_holm, verdicts)


def _with_verdicts(table: pd.DataFrame, p_holm: np.ndarray, verdicts: list[Verdict]) -> pd.DataFrame:
    if table.empty:
        return table
    reasons = [verdict.reason for verdict in verdicts]
    made = table.assign(p_holm=p_holm, answer=[verdict.answer for verdict in verdicts], reason=reasons)
    layers = {layer: place for place, layer in enumerate(dict.fromkeys(table["layer"]))}
    return made.sort_values(
        [*_PLACE, "layer"], key=lambda column: column.map(layers) if column.name == "layer" else column, kind="stable"
    ).reset_index(drop=True)


def _changes(results: pd.DataFrame) -> pd.DataFrame:
    """Returns logarithms of flow with and without BatchNorm in both arms: a row for each width and seed."""
    evidence = gather(results, None, "test_accuracy", "drop")
    pairs = Comparison(part("BN"), EGF, LOWER).pairs(evidence)
    if pairs.empty or not {*ARMS} <= set(pairs["arm"]):
        return pd.DataFrame(columns=list(_PLACE))
    shared = [column for column in evidence.spec if column in pairs and column != "arm"]
    pairs = pairs.assign(draw=number(pairs, [*_PLACE, *_draws(shared)]))
    means = pairs.groupby(["draw", "arm"], sort=False)[["second", "first"]].mean().unstack("arm").dropna()
    named = {
        f"{arm}_{which}": means[side, arm] for arm in ARMS for which, side in (("without", "second"), ("with", "first"))
    }
    places = pairs.groupby("draw", sort=False)[[*_PLACE]].first()
    return places.join(pd.DataFrame(named), how="inner").reset_index(drop=True)


def _draws(shared: list[str]) -> list[str]:
    """Returns the columns that name a capacity and a seed in both arms."""
    return [column for column in ("dense_width", "seed") if column in shared]


def _ratio(name: str, test: SignedRankTest) -> dict[str, float]:
    """Returns the typical ratio of two sides, of whose logarithms a test is, and its interval."""
    ends = {"": test.difference, "_low": test.low, "_high": test.high}
    return {f"{name}{end}": float(np.exp(value)) for end, value in ends.items()}
