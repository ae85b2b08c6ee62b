"""Both readings of flow: what turns between them is shown, and what does not is counted."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.analysis.frames.readings import by_other_reading, judge
from keras_sparseflow.analysis.frames.study_source import read_source
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.both_readings import readings, turned
from keras_sparseflow.analysis.statistics.correlation import correlate_flow
from keras_sparseflow.analysis.statistics.verdicts import OTHER_WAY, YES
from keras_sparseflow.records import read_flow, read_results
from tests.analysis.claims.made_up import PAIRS, has, make_study
from tests.analysis.pairs import make_flow, make_results, write_study
from tests.analysis.sources import numbers_of


def two_readings(turn=True):
    """Returns a study in which L2 raises EGF at the end, and lowers it over the steps if `turn`."""

    def effect(size):
        return lambda runs: size * has("L2")(runs).astype(float) + 0.3 * (runs["arm"] == "sparse")

    ends = make_study(PAIRS, egf=effect(0.4), variant=("BN", "L2_BN"))
    steps = make_study(PAIRS, egf=effect(-0.4 if turn else 0.4), variant=("BN", "L2_BN"), seed=1)
    measured = [f"{kind}_{p}" for kind in ("egf", "grad_norm") for p in (1, 2)]
    other = ends.assign(flow_reading="steps", **{name: steps[name] for name in measured})
    other.attrs = ends.attrs
    return ends, other


def shown(ends, other, **options):
    return readings(numbers_of(ends, other_results=other, **options))


def test_a_claim_that_turns_between_the_readings_is_shown_with_both_verdicts():
    ends, other = two_readings()
    content = shown(ends, other)
    rows = content.files["reading_claims"].set_index("half")
    turns = rows[rows["turned"]]
    for arm in ("sparse", "dense"):
        row = turns.loc[f"L2 raises EGF (adam, {arm} networks)"]
        assert (row["answer"], row["other_answer"]) == (YES, OTHER_WAY)
        assert row["difference"] > 0 > row["other_difference"]
        assert "flow: end of epoch" in row["numbers"] and "flow: mean over steps" in row["other_numbers"]
    table = next(table for table in tables_of(content) if table.label == "reading-claims")
    assert [row[0].text for row in table.rows] == list(turns.index)
    assert [column.heading for column in table.columns] == ["half-sentence", "end of epoch", "mean over steps"]
    assert f"The readings differ in {len(turns)} of {len(rows)} half-sentences" in content.blocks[0]


def test_a_verdict_here_is_that_of_the_claims_by_its_reading():
    ends, other = two_readings()
    rows = shown(ends, other).files["reading_claims"].set_index("half")
    for frame, column in ((ends, "answer"), (other, "other_answer")):
        for judged in judge_claims(frame):
            for half in judged.halves:
                name = half.text + (f" ({half.case})" if half.case else "")
                if half.of_flow:
                    assert rows.loc[name, column] == half.verdict.answer
                else:
                    assert name not in rows.index, "accuracies have no reading"


def test_where_nothing_turns_this_is_said_and_no_table_is_there():
    ends, _ = two_readings()
    same = ends.assign(flow_reading="steps")
    same.attrs = ends.attrs
    content = shown(ends, same)
    assert content.blocks[0].startswith("Both readings give the same answer and the same sign in all of")
    assert [table.label for table in tables_of(content)] == ["reading-correlations"]
    assert not content.files["reading_claims"]["turned"].any()


def test_flow_of_sparse_against_dense_networks_is_judged_by_both():
    ends, other = two_readings()
    dense = other["arm"] == "dense"
    other = other.assign(egf_2=other["egf_2"].where(~dense, other["egf_2"] * np.exp(0.9)))
    content = shown(ends, other)
    rows = content.files["reading_arms"].set_index("cell")
    assert set(rows.index) == {"adam, BN", "adam, L2_BN"}
    assert set(rows["answer"]) == {YES} and set(rows["other_answer"]) == {OTHER_WAY} and rows["turned"].all()
    pairs = ends[ends["variant"] == "BN"].pivot(index=["dense_width", "seed"], columns="arm", values="egf_2")
    middle = np.log(pairs["sparse"] / pairs["dense"]).median()
    assert rows.loc["adam, BN", "difference"] == pytest.approx(middle, abs=0.1)
    table = next(table for table in tables_of(content) if table.label == "reading-arms")
    assert (
        "\N{MULTIPLICATION SIGN} 1." in table.rows[0][1].note and "\N{MULTIPLICATION SIGN} 0." in table.rows[0][2].note
    )


def test_correlations_are_those_of_each_reading():
    ends, other = two_readings()
    rows = shown(ends, other).files["reading_correlations"]
    key = ["measure", "arm", "target"]
    for frame, column in ((ends, "mean_tau"), (other, "mean_tau_other")):
        expected = correlate_flow(frame).set_index(key)["mean_tau"]
        assert len(rows) == len(expected)
        assert rows.set_index(key)[column].to_dict() == pytest.approx(expected.to_dict(), nan_ok=True)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (("yes", "yes", 0.1, 0.2), False),
        (("yes", "yes", 0.1, -0.2), True),
        (("yes", "the other way", 0.1, 0.2), True),
        (("not testable here", "not testable here", float("nan"), float("nan")), False),
    ],
)
def test_an_answer_or_a_sign_may_turn(sides, expected):
    assert turned(*sides) is expected


def test_a_study_of_one_reading_has_no_such_section(make_results):
    assert readings(numbers_of(make_results())) is None


def _two_on_disk(folder):
    results = make_results(("adam",), ("NR", "BN"), widths=(7, 34), seeds=(0, 1))
    ends = make_flow(results, epochs=(0, 29))
    steps = ends.assign(reading="steps", value=ends["value"] * 3)
    return write_study(folder, results, pd.concat([ends, steps], ignore_index=True))


def test_the_other_reading_is_read_from_the_rows_of_flow(tmp_path):
    folder = _two_on_disk(tmp_path / "study")
    source = read_source(folder, "test_accuracy", None, "worst", figures=False)
    other = source.other_results
    assert set(other["flow_reading"]) == {"steps"} and set(source.results["flow_reading"]) == {"end"}
    flow = read_flow(folder).query("reading == 'steps' and layer == 'total' and measure == 'egf_2'")
    expected = other["run_id"].map(flow.groupby("run_id")["value"].mean())
    assert other["egf_2"].tolist() == expected.tolist()
    assert other.attrs == source.results.attrs and other["test_accuracy"].equals(source.results["test_accuracy"])


def test_a_run_without_one_of_the_readings_leaves_a_single_one(tmp_path):
    folder = _two_on_disk(tmp_path / "study")
    results, flow = read_results(folder), read_flow(folder)
    lacks = flow["run_id"] == flow["run_id"].iloc[0]
    for reading, judged in (("steps", "end"), ("end", "steps")):
        part = flow[~(lacks & (flow["reading"] == reading))]
        assert set(judge(results, part)[0]["flow_reading"]) == {judged}
        other = by_other_reading(results, part)
        assert other is None
    assert by_other_reading(results, flow.head(0)) is None
