"""What the numbers of a study say, in words, and what to bear in mind when reading them."""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from keras_sparseflow.analysis.frames.pairs import worst_value
from keras_sparseflow.analysis.published import p_values as published

ALPHA = 0.05
"""Below this p-value the paper prints a cell in bold."""

_TARGETS = ("test_accuracy", "test_loss")


def findings(comparison: pd.DataFrame, alpha: float = ALPHA) -> list[str]:
    """Returns the outcome in sentences: in how many cells sparse beats dense, in which, and where it does not.

    Args:
        comparison: what `compare_arms` returns, placed by `arrange`.
        alpha: a cell counts as won below this p-value.
    """
    tested = comparison[comparison["p_value"].notna()]
    if tested.empty:
        return ["No cell has a complete pair yet, so there is nothing to compare."]
    won, sure = tested[tested["p_value"] < alpha], tested[tested["p_holm"] < alpha]
    sentences = [
        f"Sparse beats dense in {len(won)} of {plural(len(tested), 'cell')} at p < {alpha:g}; "
        f"after Holm's correction in {len(sure)}."
    ]
    if len(won):
        sentences.append(f"Sparse is better in: {_named(won, comparison)}.")
    behind = tested[tested["median_difference"] < 0]
    if len(behind):
        sentences.append(f"The median difference is in favour of dense in: {_named(behind, comparison)}.")
    level = tested[tested["median_difference"] == 0]
    if len(level):
        sentences.append(f"The median difference is zero in: {_named(level, comparison)}.")
    return sentences


def warnings(
    results: pd.DataFrame, comparison: pd.DataFrame, runs_planned: int | None, value: str, diverged: str
) -> list[str]:
    """Returns what limits the outcome: unfinished and diverged runs, incomplete pairs, too few pairs."""
    said = []
    finished = results["run_id"].nunique()  # one may stand in several pairs
    if runs_planned is not None and finished < runs_planned:
        said.append(f"{finished} of {runs_planned} runs are finished; the numbers below are of these alone.")
    counts = {arm: int(comparison[f"{arm}_diverged"].sum()) for arm in ("sparse", "dense")}
    if any(counts.values()):
        runs = " and ".join(f"{plural(n, f'{arm} run')}" for arm, n in counts.items() if n)
        said.append(f"{runs} diverged (a loss that is not finite). {how_counted(value, diverged)}")
    incomplete = int(comparison["incomplete_pairs"].sum())
    if incomplete:
        verb = "is" if incomplete == 1 else "are"
        said.append(
            f"{plural(incomplete, 'pair')} {verb} incomplete (one arm has no result) and left out of every test."
        )
    for note, cells in comparison[comparison["note"] != ""].groupby("note", sort=False):
        said.append(f"In {_named(cells, comparison)}: {note}.")
    return said


def published_differences(results: pd.DataFrame, comparison: pd.DataFrame) -> list[str]:
    """Returns how this study's conditions differ from those under which the published p-values arose."""
    cells = comparison[comparison["published_p"].notna()]
    if cells.empty:
        return []
    said = []
    runs = results[results["dataset"].isin(cells["dataset"])]
    for dataset in sorted(cells["dataset"].unique()):
        epochs = sorted(runs.loc[runs["dataset"] == dataset, "epochs"].unique()) if "epochs" in runs else []
        if epochs and epochs != [published.EPOCHS[dataset]]:
            listed = ", ".join(map(str, epochs))
            said.append(f"{listed} epochs on {dataset} (paper: {published.EPOCHS[dataset]})")
    if "train_size" in runs and runs["train_size"].notna().any():
        sizes = ", ".join(f"{size:g}" for size in sorted(runs["train_size"].dropna().unique()))
        said.append(f"{sizes} training images (paper: all)")
    if "image_size" in runs and runs["image_size"].notna().any():
        sizes = ", ".join(f"{size:g} x {size:g}" for size in sorted(runs["image_size"].dropna().unique()))
        said.append(f"images of {sizes} pixels (paper: the original size)")
    if (cells["pairs"] != 15).any():
        fewest, most = cells["pairs"].min(), cells["pairs"].max()
        said.append(f"{fewest if fewest == most else f'{fewest} to {most}'} pairs per cell (paper: 15)")
    return said


def flow_findings(correlations: pd.DataFrame, arm: str = "sparse") -> list[str]:
    """Returns whether EGF or the raw gradient norm goes better with performance, a sentence per dataset and norm.

    Args:
        correlations: what `correlate_flow` returns.
        arm: "sparse", which the paper's claim is about, or "dense".
    """
    inside = correlations[(correlations["arm"] == arm) & correlations["mean_abs_tau"].notna()]
    said = []
    for dataset, taus in inside.groupby("dataset", sort=False):
        rows = {(row["measure"], row["target"]): row for row in taus.to_dict("records")}
        for norm in (1, 2):
            pairs = [(rows.get((f"egf_{norm}", t)), rows.get((f"grad_norm_{norm}", t))) for t in _TARGETS]
            both = [(egf, raw) for egf, raw in pairs if egf and raw]
            if both:
                compared = "; with ".join(_compared(egf, raw, norm) for egf, raw in both)
                configurations = max(egf["configurations"] for egf, _ in both)
                said.append(
                    f"In {arm} networks on {dataset}, EGF_{norm} correlates with {compared}; "
                    f"over {plural(configurations, 'configuration')}."
                )
    return said


def scaled_down(study: Mapping[str, Any]) -> list[str]:
    """Returns how a study differs from the preset that it was made from; nothing where it was made from none.

    Args:
        study: what `keras_sparseflow.records.read_study` returns. Of its keys, `preset` (a name), `reproduces`
            (such as "Table 4") and `overrides` (dicts with `choice`, `preset`, `here`) are read; each may miss.
    """
    if not study.get("preset"):
        return []
    preset = f"the preset {study['preset']}" + (f" ({study['reproduces']})" if study.get("reproduces") else "")
    overrides = study.get("overrides") or []
    if not overrides:
        return [f"This study is {preset}, at full size and unchanged."]
    changes = ", ".join(
        f"{row['choice']} {in_words(row['here'])} (preset: {in_words(row['preset'])})" for row in overrides
    )
    return [f"This study is {preset} with {plural(len(overrides), 'choice')} changed: {changes}."]


def settings(results: pd.DataFrame, columns: list[str], most: int = 12) -> Mapping[str, str]:
    """Returns, for each column of the spec that holds anything, its values in words."""
    table: dict[str, str] = {}
    for column in columns:
        held = results[column].dropna()
        if held.map(lambda value: isinstance(value, list | dict | set)).any():
            held = held.map(in_words)
        values = sorted(held.drop_duplicates().tolist(), key=lambda value: (isinstance(value, str), value))
        if values and column != "run_id":
            words = [in_words(value) for value in values[:most]]
            table[column] = ", ".join(words) + (f" and {len(values) - most} more" if len(values) > most else "")
    return table


def headline(name: str) -> str:
    """Returns a column's name to begin a heading with: `headline("test_accuracy")` is "Test accuracy"."""
    return name.replace("_", " ").capitalize()


def duration(seconds: float) -> str:
    """Returns a time in words: `duration(4210)` is "1 h 10 min"."""
    if pd.isna(seconds):
        return "unknown"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def in_words(value: Any) -> str:
    """Returns a setting as a reader expects it: no trailing zeros, "none" for nothing, lists with commas."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {in_words(item)}" for key, item in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def how_counted(value: str, diverged: str) -> str:
    """Returns what becomes of diverged runs in the tests of a report, in words."""
    if diverged == "drop":
        return "Their pairs are left out of the tests."
    worst = f"{worst_value(value):g}".replace("inf", "infinity")
    return (
        f"In the tests a diverged run counts as the worst possible {value.replace('_', ' ')} ({worst}), and a pair of "
        "which both diverged as no difference; means and curves leave diverged runs out."
    )


def _named(cells: pd.DataFrame, comparison: pd.DataFrame) -> str:
    if len(cells) == len(comparison) > 1:
        return f"all {len(cells)} cells"
    several = comparison["table"].nunique() > 1
    names = (cells["row"] + " " + cells["column"]).groupby(cells["table"], sort=False).agg(", ".join)
    return "; ".join(f"{inside} ({table})" if several else inside for table, inside in names.items())


def plural(number: int, noun: str) -> str:
    """Returns a count in words: `plural(2, "run")` is "2 runs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _compared(egf: Mapping[Hashable, Any], raw: Mapping[Hashable, Any], norm: int) -> str:
    ours, other = egf["mean_abs_tau"], raw["mean_abs_tau"]
    how = "as well as" if ours == other else "better than" if ours > other else "worse than"
    return f"{egf['target'].replace('_', ' ')} {how} ||g||_{norm} (mean |tau| {ours:.3f} against {other:.3f})"
