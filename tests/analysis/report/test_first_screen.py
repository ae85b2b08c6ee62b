"""Answers of made-up studies: what is claimed follows from the verdicts, and nothing else is."""

import re

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.formats import format_interval, format_signed
from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.first_screen import effect_drawing, question
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, NOT_TESTABLE, OTHER_WAY, TOO_FEW, YES
from tests.analysis.densities import make_densities, with_tweaks
from tests.analysis.pairs import redrawn
from tests.analysis.sources import effects_and_answer, first_screen, numbers_of

SPREAD = 0.01 * np.sqrt(2)
"""The standard deviation of a difference of `redrawn`."""


@pytest.fixture
def answered(make_results):
    """Returns the verdicts and the answer of a study of so many pairs a cell with an effect, in deviations."""

    def answer(pairs, effect, variants=("NR",), seed=1, **options):
        widths, seeds = ((7, 20, 34), pairs // 3) if pairs > 3 else ((7,), pairs)
        results = make_results(("adam",), variants, widths, range(seeds))
        found, said = effects_and_answer(redrawn(results, effect * SPREAD, seed=seed), **options)
        return found["verdict"].tolist(), " ".join(said)

    return answer


def test_of_noise_no_difference_is_said(answered):
    verdicts, said = answered(30, 0.0, ("NR", "BN", "L2", "DA"))
    assert verdicts == [NO_DIFFERENCE] * 4
    assert re.match("No difference", said) and not re.search("better|worse", said, re.IGNORECASE)
    (verdict,), said = answered(30, 0.0)
    assert verdict == NO_DIFFERENCE and said.startswith("No difference") and "95% interval" in said


def test_a_small_true_effect_is_not_seen_in_three_pairs_and_is_seen_in_thirty(answered):
    (few,), said = answered(3, 0.8)
    assert few == TOO_FEW and "too few pairs" in said and re.search(r"\d+ pairs would", said)
    (many,), said = answered(30, 0.8)
    assert many == YES and re.search("sparse networks did better than dense", said, re.IGNORECASE)
    assert "95% interval +" in said and "p <0.001" in said and "30 pairs" in said


def test_an_effect_the_other_way_is_said_as_plainly(answered):
    (verdict,), said = answered(30, -0.8)
    assert verdict == OTHER_WAY
    assert re.search("sparse networks did worse than dense", said, re.IGNORECASE)
    minus = "\N{MINUS SIGN}"
    assert re.search(rf"95% interval {minus}\S+ to {minus}", said)


def test_each_cell_with_a_difference_is_named_with_its_interval(make_results):
    results = make_results(("adam",), ("NR", "BN", "L2"), (7, 20, 34), range(6))
    parts = [
        redrawn(results[results["variant"] == name], effect, seed=seed)
        for seed, (name, effect) in enumerate([("NR", -0.05), ("BN", 0.05), ("L2", 0.0)], start=3)
    ]
    found, said = effects_and_answer(pd.concat(parts, ignore_index=True))
    assert found.set_index("label")["verdict"].to_dict() == {
        "adam, NR": OTHER_WAY, "adam, BN": YES, "adam, L2": NO_DIFFERENCE
    }  # fmt: skip
    assert "in 1 of 3 cells" in said[0] and "no difference was seen" in said[0]
    row = found.set_index("label").loc["adam, BN"]
    assert any(
        sentence.startswith("Better: adam, BN (") and format_interval(row["low"], row["high"]) in sentence
        for sentence in said
    )
    assert any(sentence.startswith("Worse: adam, NR (") for sentence in said)


def test_cells_that_are_unfinished_are_said_not_to_be_tested(make_results):
    results = make_results(("adam",), ("NR", "BN"))
    found, said = effects_and_answer(results[(results["variant"] == "BN") | (results["arm"] == "sparse")])
    assert found["verdict"].tolist() == [NOT_TESTABLE, YES]
    assert "1 can't be tested" in said[0] and "Better: adam, BN" in said[1]


def test_one_arm_alone_answers_nothing(make_results):
    _, said = effects_and_answer(make_results(("adam",), arms=("dense",)))
    assert len(said) == 1 and "Nothing can be compared" in said[0]
    _, said = effects_and_answer(make_densities(("sgd",), ("NR",), (0.1,), (0,), ("random",)))
    assert len(said) == 1 and "Nothing can be compared" in said[0]


def test_of_diverged_runs_the_other_side_is_better(make_results):
    results = redrawn(make_results(("adam",), ("NR",)))
    found, said, warned = first_screen(results.assign(diverged=results["arm"] == "sparse"))
    assert found["verdict"].tolist() == [OTHER_WAY] and "worse than dense" in said[0]
    assert any("15 runs diverged" in sentence for sentence in warned)
    both = first_screen(results.assign(diverged=True))
    assert both[0]["verdict"].tolist() == [NOT_TESTABLE] and "no pair of networks differs" in both[1][0]


def test_of_several_comparisons_too_small_each_names_the_pairs_that_would_do(make_results):
    found, said = effects_and_answer(redrawn(make_results(("adam",), ("NR", "BN"), (7,), range(3)), 0.05))
    assert set(found["verdict"]) == {TOO_FEW} and found["needed"].notna().all()
    named = ", ".join(f"{row['label']} {row['needed']:g}" for row in found.to_dict("records"))
    assert named.replace("adam, ", "") in said[1].replace("adam, ", "").replace(";", ",")


def test_of_cells_that_cannot_be_told_no_difference_is_not_said(make_results):
    results = redrawn(make_results(("adam",), ("NR", "BN"), (7,), range(3)))
    _, said = effects_and_answer(results[(results["variant"] == "NR") | (results["arm"] == "sparse")])
    assert said[0] == (
        "Whether sparse networks did better than dense ones of equal capacity cannot be told in any of 2 cells; in 1 "
        "there are too few pairs to tell, 1 can't be tested."
    )


def test_by_loss_the_lower_is_better_and_drop_leaves_pairs_out(answered, make_results):
    assert answered(30, 0.8, value="test_loss")[0] == [YES]
    results = redrawn(make_results(("adam",), ("NR",)))
    results.loc[:7, "diverged"] = True
    (row,) = effects_and_answer(results, diverged="drop")[0].to_dict("records")
    assert row["pairs"] == 11 and row["diverged"] == 8


@pytest.mark.parametrize(("effect", "verdict"), [(0.02, YES), (-0.02, OTHER_WAY), (0.0, NO_DIFFERENCE)])
def test_tweaks_are_judged_by_their_tests_and_not_by_their_means(effect, verdict):
    runs = make_densities(("sgd",), ("NR",), (0.01, 0.05, 0.1, 0.2, 0.5), (0, 1, 2), ("random",))
    rng = np.random.default_rng(0)
    results = with_tweaks(runs, ("none", "GSk", "LS"))
    tweaked = results["tweaks"] != "none"
    results["test_accuracy"] = runs["test_accuracy"].iloc[0] + rng.normal(0, 0.01, len(results)) + effect * tweaked
    found, said = effects_and_answer(results)
    assert found["verdict"].tolist() == [verdict] * 2
    if verdict == NO_DIFFERENCE:
        assert said[0].startswith("No difference") and len(said) == 1
    else:
        word = "Better: " if verdict == YES else "Worse: "
        assert "no tweaks" in said[0] and said[1].startswith(f"{word}GSk (") and "LS (" in said[1]


def test_numbers_of_an_answer_have_the_precision_of_the_tables(make_results):
    found, said = effects_and_answer(redrawn(make_results(("adam",), ("NR",), (7, 20, 34), range(10)), 0.05))
    row = found.iloc[0]
    assert format_signed(row["effect"]) in said[0] and format_interval(row["low"], row["high"]) in said[0]


def test_the_question_is_the_title_of_the_study_or_its_name(make_results):
    results = make_results(("adam",), ("NR",), (7,))
    assert question(numbers_of(results, {"title": "Is it?", "name": "n"})) == "Is it?"
    assert question(numbers_of(results, {"title": "", "name": "n"})) == "n"
    assert question(numbers_of(results)) == "Study"


def test_the_figure_of_effects_says_what_is_taken_from_what(make_results):
    pairs = effects(numbers_of(make_results(("adam",), ("NR",), (7,))))
    assert effect_drawing(pairs, "test_accuracy").title == "Effects: sparse minus dense"
    assert effect_drawing(pairs.head(0), "test_accuracy") is None
    tweaks = effects(numbers_of(with_tweaks(make_densities(("sgd",), ("NR",), (0.1,), (0, 1), ("random",)))))
    drawn = effect_drawing(tweaks, "test_loss")
    assert drawn.title == "Effects: each minus no tweaks"
    assert drawn.figure.get_supxlabel() == "difference in test loss (right: better)"
