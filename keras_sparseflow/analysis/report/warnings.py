"""Warnings of a report: facts about a study that limit the meaning of its numbers, found in the numbers themselves."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from keras_sparseflow.analysis.frames.densities import PLACE, dense_levels
from keras_sparseflow.analysis.frames.formats import format_fixed, format_percent, plural
from keras_sparseflow.analysis.frames.method_names import method_name
from keras_sparseflow.analysis.frames.pairs import lower_is_better
from keras_sparseflow.analysis.report.study_numbers import StudyNumbers
from keras_sparseflow.analysis.report.words import how_counted, in_words, listed
from keras_sparseflow.analysis.statistics.power import fewest_pairs
from keras_sparseflow.analysis.statistics.signed_rank import ALPHA
from keras_sparseflow.analysis.statistics.verdicts import NOT_TESTABLE

_RISE = 0.005
"""A test accuracy that rises by more than this over the last eighth of the epochs has not settled."""

_FEWEST_EPOCHS = 3
"""Shorter trainings have no end that could be compared with what was before."""

_FEW_POINTS = 5


def warnings(numbers: StudyNumbers, effects: pd.DataFrame) -> list[str]:
    """Returns what limits the outcome of a study, in sentences, the weightiest first.

    Args:
        numbers: of the study.
        effects: as `keras_sparseflow.analysis.report.effects.effects` returns it.
    """
    return [sentence for check in _CHECKS for sentence in check(numbers, effects)]


def _unfinished(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    planned, finished = numbers.source.study.get("runs_planned"), numbers.results["run_id"].nunique()
    if planned is not None and finished < planned:
        missing = planned - finished
        yield f"{finished} of {planned} runs are finished and {missing} missing; all numbers are of the former."


def _another_question(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    """Names what a preset's question may speak of, where something else was trained."""
    overrides = {row["choice"]: row for row in numbers.source.study.get("overrides") or []}
    named = [
        f"the {choice} is {in_words(row['here'])} (preset: {in_words(row['preset'])})"
        for choice, row in overrides.items()
        if choice in ("dataset", "model")
    ]
    if named:
        yield f"The question is that of the preset {numbers.source.study.get('preset')}; here {', and '.join(named)}."


def _accuracy(numbers: StudyNumbers) -> str | None:
    """Returns the column of the accuracy by which learning is judged in any study; None where there is none."""
    names = [name for name in (numbers.value, "test_accuracy") if name.endswith("accuracy") and name in numbers.placed]
    return names[0] if names else None


def _damaged(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    damaged = numbers.source.damaged
    if damaged:
        yield (
            f"{plural(len(damaged), 'finished run')} left out because a file of it is not as it was written: "
            f"{listed(list(damaged), most=3)}. sparseflow-check says which file, and --repair trains such runs anew."
        )


def _replanned(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    later = list(enumerate(numbers.source.revisions, start=1))[1:]
    if later:
        named = " ".join(f"Revision {number}: {why}" for number, why in later)
        yield (
            "The plan of what trains together was changed along the way: a study of one plan may differ in last bits. "
            f"{named}"
        )


def _diverged(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    lost = numbers.results.drop_duplicates("run_id")["diverged"].astype(bool).sum()
    if lost:
        how = how_counted(numbers.value, numbers.source.diverged)
        yield f"{plural(int(lost), 'run')} diverged (a loss that is not finite). {how}"


def _chance(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    """Compares accuracies with that of guessing: the largest that a guesser has in 97.5 of 100 tests."""
    from scipy.stats import binom

    data = numbers.source.study.get("data") or {}
    classes, images, accuracy = data.get("classes"), data.get("test_images"), _accuracy(numbers)
    if not accuracy or not classes or not images:
        return
    guessed = 1 / classes
    limit = binom.ppf(0.975, images, guessed) / images
    runs = numbers.placed[~numbers.placed["diverged"].astype(bool)].drop_duplicates("run_id")
    at_chance = runs[pd.to_numeric(runs[accuracy]) <= limit]
    if len(at_chance):
        cells = listed(list(dict.fromkeys(at_chance["cell"])), most=4)
        yield (
            f"{len(at_chance)} of {plural(len(runs), 'run')} did not learn: their accuracy is that of guessing "
            f"{classes} classes ({format_fixed(guessed)}, up to {format_fixed(limit)} by chance on {images:,} "
            f"images): {cells}."
        )


def _not_converged(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    """Compares the last eighth of the epochs, at least one, with as many before it.

    Single epochs of short trainings go up and down by chance. So the mean over the runs must rise, too, by more than
    two standard errors.
    """
    history = numbers.source.history
    if history.empty:
        return
    rows = history.merge(numbers.placed.loc[~numbers.placed["diverged"].astype(bool), ["run_id"]].drop_duplicates())
    epochs = rows.groupby("run_id")["epoch"].transform("max") + 1
    rows = rows.assign(left=epochs - rows["epoch"], eighth=np.maximum(1, epochs // 8))[epochs >= _FEWEST_EPOCHS]
    rows = rows[rows["left"] <= 2 * rows["eighth"]]
    if rows.empty:
        return
    part = np.where(rows["left"] <= rows["eighth"], "last", "before")
    means = rows.assign(part=part).pivot_table("test_accuracy", "run_id", "part").reindex(columns=["before", "last"])
    rise = means["last"] - means["before"]
    rising = rise > _RISE
    error = rise.std() / math.sqrt(len(rise))  # NaN for a single run: its own rise decides
    if rising.mean() >= 0.25 and not rise.mean() <= 2 * error:
        yield (
            f"In {int(rising.sum())} of {plural(len(rising), 'run')} the test accuracy still rose at the end, by more "
            f"than {_RISE:g} from one eighth of the epochs to the next: longer training may order them otherwise."
        )


def _weak_dense(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    """Names configurations whose dense network is worse than a sparse one of them: its training may be at fault."""
    if numbers.of_pairs:
        return
    lower = lower_is_better(numbers.value)
    sparse = numbers.means[(numbers.means["density"] < 1) & (numbers.means["n"] > 0)]
    best = sparse.groupby([*PLACE, "cell"], sort=False, as_index=False)["mean"].agg("min" if lower else "max")
    both = best.merge(dense_levels(numbers.means)[[*PLACE, "mean"]], on=PLACE, suffixes=("", "_dense"))
    below = both[(both["mean"] < both["mean_dense"]) if lower else (both["mean"] > both["mean_dense"])]
    if len(below):
        yield (
            f"The dense network's mean is {'above' if lower else 'below'} that of a sparser one in {len(below)} of "
            f"{plural(len(both), 'configuration')} ({listed(list(dict.fromkeys(below['cell'])), most=4)}): sparse "
            "networks may look good because the dense baseline is badly trained."
        )


def _unequal_budget(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    """Compares the epochs of networks, and the operations of sparse ones, a lottery ticket's earlier rounds counted.

    Arms of a pair, and dense networks beside sparse ones, differ in operations by nature: these are not compared.
    """
    budget = budgets(numbers)
    sparse = budget.head(0) if numbers.of_pairs else budget[budget["sparse"]]
    said = [
        *unequal_training(budget.set_index("name")["epochs"], "epochs"),
        *unequal_training(sparse.set_index("name")["flops"], "floating-point operations"),
    ]
    yield from said[:1]  # more epochs are more operations, too


def unequal_training(amounts: "pd.Series[float]", unit: str) -> Iterator[str]:
    """Says that networks were trained by unequal amounts, if these differ by more than 5%.

    Args:
        amounts: amount of training of each group of networks, by the name of the group.
        unit: of the amounts, such as "epochs".
    """
    if len(amounts) and amounts.max() > 1.05 * amounts.min():
        each = listed([f"{name} {amount:.4g}" for name, amount in amounts.items()])
        yield f"Networks were trained for unequal numbers of {unit}, earlier rounds of tickets included: {each}."


def budgets(numbers: StudyNumbers) -> pd.DataFrame:
    """Returns how long networks were trained: `name`, `sparse`, `epochs` and `flops` of the costliest of each name.

    Names are those of arms, else of methods and "dense networks", or of configurations where the epochs of one method
    and density differ. The rounds that a
    lottery ticket comes from are counted with it. `flops`, floating-point operations, are NaN where the study does not
    record them.
    """
    results = numbers.results if numbers.of_pairs else numbers.placed
    if "epochs" not in results:
        return pd.DataFrame(columns=["name", "sparse", "epochs", "flops"])
    whole = numbers.source.results.loc[results.index]
    rounds = whole["earlier_densities"].map(_rounds) if "earlier_densities" in whole else 0
    epochs = pd.to_numeric(results["epochs"]) * (1 + rounds)
    if numbers.of_pairs:
        names, sparse = results["arm"], results["arm"] == "sparse"
    else:
        sparse = results["density"] < 1
        names = results["method"].map(method_name).where(sparse, "dense networks")
        if epochs.groupby([names, results["density"]]).nunique().gt(1).any():
            names = results["cell"].where(sparse, results["cell"] + ", dense")
    flops = results["run_id"].map(numbers.source.study.get("run_flops") or {}).astype(float)
    rows = pd.DataFrame({"name": names, "sparse": sparse, "epochs": epochs, "flops": flops})
    return rows.groupby(["name", "sparse"], sort=False).max().reset_index()


def _rounds(earlier: object) -> int:
    return len(earlier) if isinstance(earlier, list | tuple) else 0


def _collapsed(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    results = numbers.placed.drop_duplicates("run_id")
    if "empty_kernels" not in results or not (results["empty_kernels"] > 0).any():
        return
    collapsed = results[results["empty_kernels"] > 0]
    named = list(dict.fromkeys(collapsed["cell"]))
    if not numbers.of_pairs:
        cases = collapsed[["method", "density"]].drop_duplicates().itertuples(index=False)
        named = [f"{method_name(method)} at {format_percent(density)}" for method, density in cases]
    yield (
        f"In {plural(len(collapsed), 'run')} the masks leave at least one kernel without any active weight, which lets "
        f"nothing through: {listed(named)}."
    )


def _few_pairs(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    fewest = fewest_pairs(ALPHA)
    few = effects[(effects["pairs"] > 0) & (effects["pairs_used"] < fewest)]
    if len(few):
        yield (
            f"{len(few)} of {plural(len(effects), 'comparison')} {'has' if len(few) == 1 else 'have'} fewer than "
            f"{fewest} pairs that differ, which no test can call significant: {listed(list(few['label']), most=4)}."
        )


def _left_out(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    incomplete = int(numbers.comparison["incomplete_pairs"].sum()) if numbers.of_pairs else 0
    if incomplete:
        verb = "is" if incomplete == 1 else "are"
        yield f"{plural(incomplete, 'pair')} {verb} incomplete (one arm has no result) and left out of every test."


def _signs(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    """Names comparisons in which most pairs point one way and the ranks, which weigh large differences, the other."""
    median, size = effects["median_difference"].astype(float), effects["effect_size"].astype(float)
    opposite = effects[np.sign(median) * np.sign(size) < 0]
    if len(opposite):
        yield (
            f"Median difference and effect size have opposite signs in {listed(list(opposite['label']), most=4)}: most "
            "pairs say one thing, the large differences the other."
        )


def _single_seed(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    if numbers.results["seed"].nunique() == 1:
        yield (
            "Every network was trained with one seed: nothing here says how far another seed would have come out "
            "otherwise, so small differences mean nothing."
        )


def _few_points(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    if numbers.of_pairs or numbers.taus.empty:
        return
    fewest = numbers.taus.loc[numbers.taus["points"] > 0, "points"].min()
    if fewest <= _FEW_POINTS:
        yield (
            f"Kendall's tau within a configuration is of as few as {fewest:g} runs, of which one random order in "
            f"{math.factorial(int(fewest)) // 2} has a tau of 1 or \N{MINUS SIGN}1."
        )


def _outside_conditions(numbers: StudyNumbers, effects: pd.DataFrame) -> Iterator[str]:
    """Says how many of the papers' half-sentences are judged where the paper does not make them."""
    tested = [half for claim in numbers.claims for half in claim.halves if half.verdict.answer != NOT_TESTABLE]
    outside = [half for half in tested if half.outside]
    if outside:
        phrases = list(dict.fromkeys(phrase for half in outside for phrase in half.outside))
        yield (
            f"{len(outside)} of {plural(len(tested), 'verdict')} on the papers' claims "
            f"{'is' if len(outside) == 1 else 'are'} outside the conditions under which the paper makes the claim: "
            f"{listed(phrases, most=3)}."
        )


_CHECKS: tuple[Callable[[StudyNumbers, pd.DataFrame], Iterator[str]], ...] = (
    *(_unfinished, _another_question, _damaged, _chance, _diverged, _weak_dense, _unequal_budget, _not_converged),
    *(_few_pairs, _single_seed, _left_out, _collapsed, _signs, _few_points, _replanned, _outside_conditions),
)
"""Every warning, in the order of a page."""
