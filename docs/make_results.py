"""Writes the tables of docs/results/README.md from the rows of the studies that stand beside it.

    PYTHONPATH=. python docs/make_results.py

A folder of docs/results that holds `runs.npz` is a study. Each table stands between two comments that name it, and is
written in place of the one that was there; the words around them are written by hand.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from keras_sparseflow.analysis import bootstrap_mean, compare_arms, correlate_cells, judge_claims, with_published
from keras_sparseflow.analysis.claims import tessera, tost
from keras_sparseflow.analysis.frames import readings
from keras_sparseflow.analysis.frames.cells import completed
from keras_sparseflow.analysis.frames.densities import PLACE, tabulate_densities
from keras_sparseflow.analysis.frames.formats import MINUS
from keras_sparseflow.analysis.frames.labels import POINTS
from keras_sparseflow.analysis.frames.method_names import method_name, name_methods
from keras_sparseflow.analysis.frames.study_source import read_source
from keras_sparseflow.analysis.published.tost_accuracies import beside_published_tost, masks_of
from keras_sparseflow.analysis.published.tost_ghosts import beside_published_ghosts
from keras_sparseflow.analysis.statistics.shift import typical_difference
from keras_sparseflow.analysis.statistics.signed_rank import wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import NOT_TESTABLE
from keras_sparseflow.flow.measure_table import TOTAL
from keras_sparseflow.records import read_flow, read_history, read_results, read_study

RESULTS = Path(__file__).parent / "results"
PAGE = RESULTS / "README.md"
SETTINGS = RESULTS / "settings"
BECAUSE, BASE = "why_", "why_base"
"""First letters of the studies that change one thing each of the base, and the base."""
FOUR_CELLS = [(optimizer, variant) for optimizer in ("sgd", "momentum") for variant in ("BN", "SC_BN")]
"""What each of them trains."""
ACCURACIES = {"test_accuracy": "last", "best_test_accuracy": "best"}
RESNETS, TWEAKS = "scsdc_resnet_skips", "tost_ablation"
WIDE_RESNETS, PRUNED = "wrn_random", "wrn_magnitude"
TICKETS, GHOSTS = "tost_5", "tost_ghosts"
TIMES = "\N{MULTIPLICATION SIGN}"
_DIFFERENCE = re.compile(f"difference ((?:{TIMES} )?[^ ;]+)")

READINGS = {"end": "end of epoch", "steps": "mean over steps"}
MEASURES = {
    "grad_norm_1": "gradient 1-norm",
    "egf_1": "EGF, 1-norm",
    "grad_norm_2": "gradient 2-norm",
    "egf_2": "EGF, 2-norm",
}
_TAU_PLACE = ["reading", "points", "arm", "target"]


def studies() -> list[str]:
    """Returns the names of the studies whose rows are here."""
    return sorted(path.parent.name for path in RESULTS.glob("*/runs.npz"))


def table_of(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Returns a Markdown table."""
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def claims(names: list[str]) -> pd.DataFrame:
    """Returns a row for each verdict on a half-sentence of the papers, and one for each that no study can test."""
    judged = {name: _judged(name) for name in names}
    rows: list[dict[str, Any]] = []
    for claim in (*tessera.CLAIMS, *tost.CLAIMS):
        for half in claim.halves:
            place = {"claim": f"{claim.text} ({claim.place})", "half": half.text}
            found = [{**place, **row} for name in names for row in judged[name].get((claim.text, half.text), [])]
            rows += found or [{**place, "answer": NOT_TESTABLE}]
    return pd.DataFrame(rows)


def _judged(name: str) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """Returns the verdicts of a study by claim and half-sentence, without those that it can't test."""
    source = read_source(RESULTS / name, "test_accuracy", None, "worst", figures=False)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for judged in judge_claims(source.results, source.diagnostics):
        for half in judged.halves:
            if half.verdict.answer != NOT_TESTABLE:
                row = {"study": name, "case": half.case, "answer": half.verdict.answer, "as_claimed": half.as_claimed}
                row |= {"numbers": half.numbers, "why": half.verdict.reason, "unmet": half.outside}
                found.setdefault((judged.claim.text, half.text), []).append(row)
    return found


def claims_table(verdicts: pd.DataFrame) -> str:
    """Returns a row for each half-sentence and study: the answers, with the cases and the range of the differences.

    A study of another learning rate than the claim's says so.
    """
    groups = verdicts.fillna("").groupby(["claim", "half", "study"], sort=False)
    rows: list[list[str]] = []
    said = ("", "")
    for (claim, half, study), inside in groups:
        shown = ["" if claim == said[0] else str(claim), "" if (claim, half) == said else str(half)]
        said = (str(claim), str(half))
        rates = {phrase for unmet in inside["unmet"] for phrase in unmet if phrase.startswith("learning rate")}
        where = ", not at ".join([f"`{study}`", *sorted(rates)]) if study else ""
        rows.append([*shown, where, "; ".join(_answers(inside)) or NOT_TESTABLE])
    return table_of(["claim", "half-sentence", "study", "verdicts here"], rows)


def conditions_table(verdicts: pd.DataFrame) -> str:
    """Returns the conditions under which the papers make their claims that each study does not meet."""
    rows = []
    for study, inside in verdicts.dropna(subset="study").groupby("study"):
        unmet = dict.fromkeys(phrase for phrases in inside["unmet"] for phrase in phrases)
        rows.append([f"`{study}`", "; ".join(unmet) or "none"])
    return table_of(["study", "conditions of the papers that it does not meet"], rows)


def _answers(cases: pd.DataFrame) -> Iterator[str]:
    for answer, inside in cases[cases["case"] != ""].groupby("answer", sort=False):
        differences = [found[1] for numbers in inside["numbers"] if (found := _DIFFERENCE.search(numbers))]
        ordered = sorted(differences, key=lambda text: float(text.replace(MINUS, "-").strip(f"{TIMES} ")))
        ends = dict.fromkeys([*ordered[:1], *ordered[-1:]])
        where = ", ".join(_places(inside["case"], cases["case"]))
        effects = f", {' to '.join(ends)}" if ends else ""
        yield f"**{answer}** in {len(inside)} of {len(cases)}{effects}: {where}"


def _places(chosen: Iterable[str], every: Iterable[str]) -> Iterator[str]:
    """Yields cases such as "adam, sparse networks" as "adam (sparse)", and those of both arms as "adam"."""
    arms = ("sparse networks", "dense networks")
    kept = list(chosen)
    for case in kept:
        first, _, rest = case.rpartition(", ")
        of_both = {f"{first}, {arm}" for arm in arms}
        if not first:
            yield case
        elif rest not in arms or not of_both & {*every} <= {*kept}:
            yield f"{first} ({rest.removesuffix(' networks')})"
        elif case == next(each for each in kept if each in of_both):
            yield first


def sides_table(names: list[str]) -> str:
    """Returns how many cells of each published table lie on the published side of 0.05, and those that do not."""
    rows = []
    for name in names:
        results = read_results(RESULTS / name)
        if "arm" not in results or name.startswith(BECAUSE):
            continue
        cells = with_published(compare_arms(completed(results)))
        cells = cells[cells["published_p"].notna() & cells["p_value"].notna()]
        if cells.empty:
            continue
        same = (cells["p_value"] < 0.05) == (cells["published_p"] < 0.05)
        missed = [
            f"{row.optimizer} {row.variant} {row.activation}: {row.p_value:.3f} ({row.published_p:.3f})".replace(
                " relu", ""
            )
            for row in cells[~same].itertuples()
        ]
        rows.append([name, f"{same.sum()} of {len(cells)}", "; ".join(missed) or "none"])
    return table_of(["study", "on the published side", "misses: our one-tailed p (the published)"], rows)


def correlations(names: list[str]) -> pd.DataFrame:
    """Returns signed tau of each configuration and measure, with the study, the reading and the kind of points."""
    parts = []
    for name in names:
        results, flow, history = read_results(RESULTS / name), read_flow(RESULTS / name), read_history(RESULTS / name)
        if "arm" not in results or name.startswith(BECAUSE):
            continue
        for reading in READINGS:
            chosen = flow[(flow["reading"] == reading) & (flow["layer"] == TOTAL)]
            if chosen.empty:
                continue
            judged, _ = readings.judge(completed(results), chosen)
            for points in POINTS:
                each = correlate_cells(judged, [*MEASURES], points, chosen, history)
                parts.append(each.assign(study=name, reading=reading, points=points))
    return pd.concat(parts, ignore_index=True)


def correlation_table(taus: pd.DataFrame) -> str:
    """Returns table 1 of the paper: the mean of each measure's tau over the configurations of all studies."""
    rows = []
    for place, inside in taus.groupby(_TAU_PLACE, sort=False):
        reading, points, arm, target = map(str, place)
        cells = [_with_interval(inside.loc[inside["measure"] == measure, "tau"].dropna()) for measure in MEASURES]
        rows.append([READINGS[reading], points, arm, target.removeprefix("test_"), *cells])
    return table_of(["reading", "points", "networks", "with", *MEASURES.values()], rows)


def correlations_by_study(taus: pd.DataFrame) -> pd.DataFrame:
    """Returns the same apart for each study: the mean tau, its interval of 95%, and the number of configurations."""
    rows = []
    for place, inside in taus.groupby(["study", *_TAU_PLACE, "measure"], sort=False):
        values = inside["tau"].dropna()
        low, high = bootstrap_mean(values)
        of = dict(zip(["study", *_TAU_PLACE, "measure"], place, strict=True))
        rows.append({**of, "tau": values.mean(), "low": low, "high": high, "configurations": len(values)})
    return pd.DataFrame(rows).round(4)


def _with_interval(taus: pd.Series) -> str:
    low, high = bootstrap_mean(taus)
    return f"{taus.mean():+.2f} [{low:+.2f}, {high:+.2f}]"


def reasons_table(names: list[str]) -> str:
    """Returns sparse against dense in each study that changes one thing of the base."""
    rows = []
    for name in sorted((name for name in names if name.startswith(BECAUSE)), key=lambda name: name != BASE):
        results = completed(read_results(RESULTS / name))
        for value, words in ACCURACIES.items():
            compared = compare_arms(results, value=value).set_index(["optimizer", "variant"]).to_dict("index")
            rows.append([f"`{name}`: {_title(name)}", words, *(_cell(compared[column]) for column in FOUR_CELLS)])
    return table_of(["study", "accuracy", *(" ".join(column) for column in FOUR_CELLS)], rows)


def changes_table(names: list[str]) -> str:
    """Returns by how much the lead of sparse networks in each of these studies differs from that in its base.

    Pairs are those of the same seed and of the same rank of their dense width: the widths of two studies may differ.
    """
    rows = []
    for name in (name for name in names if name.startswith(BECAUSE) and name != BASE):
        base = _title(name).partition("beside ")[2] or BASE
        for value, words in ACCURACIES.items():
            leads, others = _leads(name, value), _leads(base, value)
            changes = [(leads[column], others[column]) for column in FOUR_CELLS]
            rows.append([f"`{name}`", f"`{base}`", words, *(_change(*change) for change in changes)])
    return table_of(["study", "against", "accuracy", *(" ".join(column) for column in FOUR_CELLS)], rows)


def _title(name: str) -> str:
    return (SETTINGS / f"{name}.flags").read_text().splitlines()[0].partition(": ")[2]


def _leads(name: str, value: str) -> dict[tuple[str, str], np.ndarray]:
    """Returns sparse minus dense of each cell of a study, by dense width and seed in ascending order."""
    runs = completed(read_results(RESULTS / name))
    arms = runs.pivot_table(value, ["optimizer", "variant", "dense_width", "seed"], "arm").sort_index()
    leads = arms["sparse"] - arms["dense"]
    return {column: leads.loc[column].to_numpy() for column in FOUR_CELLS}


def _change(leads: np.ndarray, others: np.ndarray) -> str:
    typical, *_ = typical_difference(leads - others)
    test = wilcoxon_signed_rank(leads, others, alternative="two-sided")
    return f"{typical:+.4f} ({_p(test.p_value)})"


def _cell(row: Mapping[Any, Any]) -> str:
    return f"{_p(row['p_value'])} ({row['median_difference']:+.4f})"


def _p(value: float) -> str:
    shown = "<0.001" if value < 0.0005 else f"{value:.3f}"
    return f"**{shown}**" if value < 0.05 else shown


def widths_table(name: str) -> str:
    """Returns both arms of each cell of a study, with their mean difference at each dense width."""
    results = completed(read_results(RESULTS / name))
    p_values = compare_arms(results).set_index(["optimizer", "variant"])["p_value"].to_dict()
    rows, widths = [], sorted(results["dense_width"].unique())
    for (optimizer, variant), runs in results.groupby(["optimizer", "variant"], sort=False):
        arms = runs.pivot_table("test_accuracy", "dense_width", "arm")
        means = [f"{arms[arm].mean():.3f}" for arm in ("sparse", "dense")]
        differences = [f"{difference:+.3f}" for difference in (arms["sparse"] - arms["dense"]).reindex(widths)]
        rows.append([str(optimizer), str(variant), *means, _p(p_values[optimizer, variant]), *differences])
    return table_of(["optimizer", "variant", "sparse", "dense", "one-tailed p", *map(str, widths)], rows)


def tweaks_table(name: str) -> str:
    """Returns accuracies with and without ToST's tweaks in percent, and gains, the published ones in parentheses."""
    results = completed(read_results(RESULTS / name))
    published = beside_published_tost(results, read_study(RESULTS / name)).set_index(["mask", "density", "tweaks"])
    percent = results.assign(mask=masks_of(results), percent=100 * results["test_accuracy"])
    accuracies = percent.set_index(["mask", "density", "seed", "tweaks"])["percent"].unstack().dropna()
    columns = sorted({pair[:2] for pair in accuracies.index}, key=lambda column: (column[0], -column[1]))
    plain = accuracies["none"]
    rows = []
    for tweaks in results["tweaks"].unique():
        gains, shown = accuracies[tweaks] - plain, []
        for column in columns:
            values = accuracies[tweaks].loc[column]
            words = f"{values.mean():.1f} ± {values.std():.1f}"
            if tweaks != "none":
                words += f", {gains.loc[column].mean():+.1f}"
                if (*column, tweaks) in published.index:
                    words += f" ({published.loc[(*column, tweaks), 'published_gain']:+.1f})"
            shown.append(words)
        if tweaks != "none":
            test = wilcoxon_signed_rank(accuracies[tweaks], plain, alternative="two-sided")
            shown += [f"{(gains > 0).sum()} of {len(gains)}", _p(test.p_value)]
        rows.append([{"tost": "all"}.get(tweaks, tweaks), *shown, *[""] * (len(columns) + 2 - len(shown))])
    headings = [f"{mask}, {density:.0%}".replace("lth", "ticket") for mask, density in columns]
    return table_of(["tweaks", *headings, "better in", "two-sided p"], rows)


def schedules_table(name: str) -> str:
    """Returns by how many points accuracy changes where ghosts go at other times, the published changes beside ours."""
    changes = beside_published_ghosts(completed(read_results(RESULTS / name)), read_study(RESULTS / name))
    rows = []
    for row in changes.itertuples():
        published = f"{'below ' if row.bound else ''}{row.published:+.3f}" if np.isfinite(row.published) else ""
        rows.append([row.tweaks, f"{row.density:.0%}", row.schedule, f"{row.mean:+.2f} ± {row.std:.2f}", published])
    return table_of(["tweak", "density", "ghosts", "change of accuracy", "published"], rows)


def densities_table(name: str, without: tuple[str, ...] = ()) -> str:
    """Returns mean and standard deviation of each configuration's test accuracy by density, and its mean EGF.

    Args:
        name: of the study.
        without: methods that another table has.
    """
    results = name_methods(completed(read_results(RESULTS / name)))
    means = tabulate_densities(results[~results["method"].isin(without)], "test_accuracy", "egf_2")
    densities = sorted(means["density"].unique())
    rows = []
    for (_, method, optimizer, line), inside in means.groupby(PLACE, sort=False):
        by_density = inside.set_index("density").reindex(densities)
        accuracies = [f"{row.mean:.3f} ± {row.std:.3f}" if row.n > 0 else "" for row in by_density.itertuples()]
        flows = [f"{flow:.3f}" if np.isfinite(flow) else "" for flow in by_density["flow"]]
        rows.append([method_name(str(method)), str(optimizer), str(line), *accuracies, *flows])
    shares = [f"{density:.0%}" for density in densities]
    return table_of(["masks", "optimizer", "variant", *shares, *(f"EGF: {share}" for share in shares)], rows)


def files(names: list[str]) -> dict[Path, str]:
    """Returns the content of the page, with its tables made anew, and of the files with more rows beside it."""
    verdicts = claims([name for name in names if not name.startswith(BECAUSE)])
    taus = correlations(names)
    tables = {
        "claims": claims_table(verdicts),
        "conditions": conditions_table(verdicts),
        "sides": sides_table(names),
        "correlations": correlation_table(taus),
        "reasons": reasons_table(names),
        "changes": changes_table(names),
        "resnets": widths_table(RESNETS),
        "tweaks": tweaks_table(TWEAKS),
        "ghosts": tweaks_table(TICKETS),
        "schedules": schedules_table(GHOSTS),
        "wide resnets": densities_table(WIDE_RESNETS),
        "pruned": densities_table(PRUNED, without=("random",)),
    }
    return {
        PAGE: with_tables(PAGE.read_text(), tables),
        RESULTS / "claims.csv": verdicts.drop(columns=["claim", "unmet"]).to_csv(index=False),
        RESULTS / "correlations.csv": correlations_by_study(taus).to_csv(index=False),
    }


def with_tables(text: str, tables: Mapping[str, str]) -> str:
    """Returns a page with each table between the comments that name it, in place of the one that was there."""
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"{PAGE} must hold {begin} and {end}.")
        before, rest = text.split(begin)
        text = f"{before}{begin}\n\n{table}\n\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    every = studies()
    if not every:
        raise SystemExit(
            f"{RESULTS} has no study: expected <name>/runs.npz, as `sparseflow-report --export` writes it."
        )
    for path, content in files(every).items():
        path.write_text(content)
