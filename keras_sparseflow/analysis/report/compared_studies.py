"""Two or more studies side by side: what differs between them, and by how much their networks differ."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd

from keras_sparseflow import records
from keras_sparseflow.analysis.frames.cells import describe, hashable, spec_columns
from keras_sparseflow.analysis.frames.formats import format_interval, format_p, format_signed, plural
from keras_sparseflow.analysis.frames.pairs import lower_is_better, match_sides
from keras_sparseflow.analysis.frames.study_source import Source, read_source
from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.first_screen import effect_drawing
from keras_sparseflow.analysis.report.made_sections import MadeSection
from keras_sparseflow.analysis.report.page import FOLDER, render
from keras_sparseflow.analysis.report.section import Content
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.tables.pair_tables import write_csv
from keras_sparseflow.analysis.report.tables.table import Cell, Column, Shown, Table, table_of
from keras_sparseflow.analysis.report.warnings import budgets, unequal_training, warnings
from keras_sparseflow.analysis.report.words import in_words, listed, spoken
from keras_sparseflow.analysis.statistics.paired_tests import with_verdicts
from keras_sparseflow.analysis.statistics.signed_rank import ALPHA, wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, OTHER_WAY, TOO_FEW, YES

_POOLED = ("seed", "dense_width", "width", "width_fraction", "matched_fraction", "density", "earlier_densities")
"""Pairs of runs that differ in these alone are of one configuration."""


def compare_studies(
    study_dirs: Sequence[str | Path], value: str = "test_accuracy", diverged: str = "worst"
) -> pd.DataFrame:
    """Returns by how much the networks of studies differ from the matching ones of the first study.

    Runs are a pair where their seeds and every choice agree that varies within the studies. A choice that is one value
    throughout each study, but another in another, is what the studies compare.

    Args:
        study_dirs: two or more folders of studies.
        value: the column to compare; a name that ends in "loss" is better when lower.
        diverged: "worst" or "drop", see `pair_arms`.

    Returns:
        A DataFrame with a row per study but the first and configuration: `study`, `reference` (the first study),
        `configuration` (what varies within the studies, in words), the fields of `SignedRankTest` (differences are
        positive where the study is better than the reference), `diverged` (runs that did, of both), `p_holm`, `verdict`
        and `reason`. `attrs["differences"]` is a DataFrame with a row per choice that differs and a column per study.

    Raises:
        ValueError: fewer than two studies, two of one name, or no run of one matches any of the first.
        FileNotFoundError: a folder holds no study.

    Example:
        >>> compare_studies(["runs/demo"])
        Traceback (most recent call last):
        ...
        ValueError: `study_dirs` must be two or more studies of different names; received demo.
    """
    return _compare(
        {name: source.results for name, source in _read(study_dirs, value, diverged).items()}, value, diverged
    )


def _compare(results: Mapping[str, pd.DataFrame], value: str, diverged: str) -> pd.DataFrame:
    """Returns what `compare_studies` does, of results by the name of their study; `attrs["matched"]` are run ids."""
    reference, *others = results
    differing, shared = _choices(results)
    place = [column for column in shared if column not in _POOLED]
    named = [
        column for column in place if pd.concat([hashable(r[[column]]) for r in results.values()])[column].nunique() > 1
    ]
    rows, tests, matched = [], [], set()
    for name in others:
        both = pd.concat([results[name].assign(study=name), results[reference].assign(study=reference)])
        once = both.loc[~hashable(both[["study", *shared]]).duplicated()].reset_index(drop=True)
        pairs = match_sides(once, "study", (name, reference), shared, value, diverged)
        pairs = pairs[pairs["state"] != "incomplete"]
        matched |= {*pairs[f"{name}_run_id"], *pairs[f"{reference}_run_id"]}
        if pairs.empty:
            raise ValueError(
                f"`study_dirs` must have matching networks; of {name} none matches any of {reference}: they differ in "
                f"the values of {listed(shared)}."
            )
        sign = -1.0 if lower_is_better(value) else 1.0
        for _, group in hashable(pairs[place]).groupby(place, dropna=False, sort=False) if place else [((), pairs)]:
            inside = pairs.loc[group.index]
            whole = inside[inside["state"] == "complete"]
            tests.append(wilcoxon_signed_rank(sign * whole[name], sign * whole[reference]))
            words = ", ".join(describe(column, inside[column].iloc[0]) for column in named) or "all"
            lost = int(inside[[f"{name}_diverged", f"{reference}_diverged"]].to_numpy().sum())
            row = {"study": name, "reference": reference, "configuration": words, **asdict(tests[-1]), "diverged": lost}
            rows.append(row)
    table = with_verdicts(pd.DataFrame(rows), tests)
    table.attrs |= {"differences": differing, "matched": matched}
    return table


def write_comparison(
    study_dirs: Sequence[str | Path],
    output_dir: str | Path | None = None,
    value: str = "test_accuracy",
    diverged: str = "worst",
) -> Path:
    """Writes a page on two or more studies side by side and returns its path.

    Args:
        study_dirs: two or more folders of studies; the first is what the others are compared with.
        output_dir: where to write; default, a folder beside the first study, named after all.
        value: the column of the results that networks are compared by.
        diverged: "worst" or "drop", see `pair_arms`.

    Raises:
        ValueError: see `compare_studies`.
        FileNotFoundError: see `read_study`.
    """
    sources = _read(study_dirs, value, diverged)
    names = list(sources)
    table = _compare({name: source.results for name, source in sources.items()}, value, diverged)
    several = len(names) > 2
    label = table["configuration"] + (" (" + table["study"] + ")" if several else "")
    found = table.assign(
        kind="study", label=label, first=table["study"], second=table["reference"], effect=table["difference"]
    )
    differences = table.attrs["differences"]
    sections = [
        MadeSection(
            "differences", "answer", "By how much they differ", Content([_table(table)], {"comparison": table})
        ),
        MadeSection("studies", "answer", "What differs between the studies", Content([_differences(differences)])),
    ]
    shown = {
        "title": f"{' and '.join(names[1:])} compared with {names[0]}",
        "name": ", ".join(names),
        "created": "",
        "networks": plural(int(table["pairs"].sum()), "pair"),
        "reproduces": "",
        "preset": "",
        "changes": 0,
        "answer": _answer(found, value),
        "warnings": [*_warnings(differences), *_budget(sources, table.attrs["matched"]), *_of_each(sources)],
    }
    folder = Path(study_dirs[0]).resolve().parent / "_and_".join(names) if output_dir is None else Path(output_dir)
    write_csv({"comparison": table}, folder / FOLDER)
    path = folder / "report.html"
    records.write_atomic(path, render(shown, sections, effect_drawing(found, value), files=False).encode())
    return path


def _read(study_dirs: Sequence[str | Path], value: str, diverged: str) -> dict[str, Source]:
    folders = [Path(folder).resolve() for folder in study_dirs]
    if len(folders) < 2 or len({folder.name for folder in folders}) < len(folders):
        raise ValueError(
            "`study_dirs` must be two or more studies of different names; received "
            f"{listed([folder.name for folder in folders])}."
        )
    return {folder.name: read_source(folder, value, None, diverged, False) for folder in folders}


def _choices(results: Mapping[str, pd.DataFrame]) -> tuple[pd.DataFrame, list[str]]:
    """Returns the choices that are one value in each study but not the same, and those that runs are matched by."""
    columns = list(dict.fromkeys(column for frame in results.values() for column in spec_columns(frame)))
    rows, shared = [], []
    for column in columns:
        held = {name: _values(frame, column) for name, frame in results.items()}
        constant = all(len(values) == 1 for values in held.values())
        if constant and len(set.union(*held.values())) > 1:
            rows.append({"choice": column, **{name: next(iter(values)) for name, values in held.items()}})
        elif all(column in frame for frame in results.values()):
            shared.append(column)
    return pd.DataFrame(rows, columns=["choice", *results]), shared


def _values(frame: pd.DataFrame, column: str) -> set[str]:
    return set(frame[column].map(in_words)) if column in frame else {in_words(None)}


def _answer(found: pd.DataFrame, value: str) -> list[str]:
    """Returns how many configurations have each verdict; then those of a difference, and those of too few pairs."""
    counts = found["verdict"].value_counts()
    said = [
        f"{plural(int(counts.get(verdict, 0)), 'configuration')} {words}"
        for verdict, words in (
            (YES, "better than in the first study"),
            (OTHER_WAY, "worse"),
            (NO_DIFFERENCE, "without a difference seen"),
            (TOO_FEW, "of too few pairs to tell"),
        )
        if counts.get(verdict, 0)
    ]
    answer = [f"By {spoken(value)}: {', '.join(said) or 'nothing can be tested'}."]
    for verdict, opening in ((YES, "Better"), (OTHER_WAY, "Worse"), (TOO_FEW, "Too few pairs to tell")):
        rows = found[found["verdict"] == verdict]
        if rows.empty:
            continue
        why = rows["reason"] if verdict == TOO_FEW else rows.apply(_effect, axis="columns")
        named = [f"{listed(list(labels))} ({words})" for words, labels in rows["label"].groupby(why, sort=False)]
        answer.append(f"{opening}: {listed(named)}.")
    return answer


def _effect(row: "pd.Series[Any]") -> str:
    return f"{format_signed(row['effect'])}, 95% interval {format_interval(row['low'], row['high'])}"


def _warnings(differences: pd.DataFrame) -> list[str]:
    if len(differences) > 1:
        return [
            f"The studies differ in {plural(len(differences), 'choice')} ({listed(list(differences['choice']))}): a "
            "difference between their networks may come from any of them."
        ]
    return [] if len(differences) else ["The studies differ in no choice that is one value in each of them."]


def _budget(sources: Mapping[str, Source], matched: set[str]) -> list[str]:
    """Compares the epochs of the networks that match, those of a lottery ticket's earlier rounds counted."""
    epochs = {}
    for name, source in sources.items():
        runs = source.results[source.results["run_id"].isin(matched)]
        epochs[name] = budgets(StudyNumbers(replace(source, results=runs)))["epochs"].max()
    return list(unequal_training(pd.Series(epochs), "epochs"))


def _of_each(sources: Mapping[str, Source]) -> list[str]:
    """Returns the warnings that the report of each study has, under its name."""
    numbers = {name: StudyNumbers(source) for name, source in sources.items()}
    return [f"{name}: {sentence}" for name, own in numbers.items() for sentence in warnings(own, effects(own))]


def _table(table: pd.DataFrame) -> Table:
    rows = table.assign(interval=[format_interval(r["low"], r["high"]) for r in table.to_dict("records")])
    shown = [
        Shown("configuration", "configuration", text=True),
        Shown("study", "study", text=True),
        Shown("verdict", "better than the first study?", text=True),
        Shown("p_holm", "p, Holm", format_p, bold=lambda row: row["p_holm"] < ALPHA),
        Shown("difference", "typical difference", format_signed),
        Shown("interval", "95% interval", text=True),
        Shown("pairs", "pairs", "{:g}".format),
        Shown("diverged", "runs that diverged", "{:g}".format),
        Shown("reason", "why", text=True),
    ]
    caption = "Paired two-sided Wilcoxon signed-rank tests of matching networks."
    return table_of(rows, shown, "comparison", caption, held=2)


def _differences(differences: pd.DataFrame) -> Table:
    columns: list[Any] = [Column(str(name), text=True) for name in differences]
    rows = [[Cell(str(text)) for text in row] for row in differences.itertuples(index=False)]
    return Table("study-differences", "", columns, rows)
