"""Each half-sentence of the claims of ToST, where it is true, where it is false, and where it is absent."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims import tost
from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.analysis.statistics.verdicts import NOT_TESTABLE, OTHER_WAY, YES
from tests.analysis.claims.made_up import DENSITIES, always, answers, make_study


def _with(*names):
    return lambda runs: runs["tweaks"].isin(names)


def _sparser(name):
    return lambda runs: (runs["tweaks"] == name) * -np.log10(runs["density"])


# Claim, half-sentence, study, what changes where the claim says so, by how much, cases.
HALVES = {
    "masks": (
        tost.ANY_MASK, "each kind", {"tweaks": ("none", "tost"), "method": ("random", "snip")}, _with("tost"), 0.03,
        ["random masks", "SNIP"],
    ),
    "sparsities": (
        tost.ANY_MASK, "each sparsity", {"tweaks": ("none", "tost")}, _with("tost"), 0.03,
        ["density 5%", "density 20%"],
    ),
    **{
        name: (tost.EACH_TWEAK, f"{name} alone", {"tweaks": ("none", name)}, _with(name), 0.03, ["lottery tickets"])
        for name in ("GSk", "GSw", "LRsI", "LS")
    },
    "most": (
        tost.EACH_TWEAK, "at the highest", {"tweaks": ("GSk", "GSw", "LS")}, _with("GSk"), 0.03,
        ["against GSw, lottery tickets", "against LS, lottery tickets"],
    ),
    "all": (
        tost.EACH_TWEAK, "all together", {"tweaks": ("GSk", "tost")}, _with("tost"), 0.03,
        ["against GSk, lottery tickets"],
    ),
    "sparse": (
        tost.GHOSTS_BY_SPARSITY, "GSk helps sparse", {"tweaks": ("none", "GSk"), "density": (0.05, 1.0)},
        _sparser("GSk"), 0.03, ["GSk"],
    ),
    "the sparser": (
        tost.GHOSTS_BY_SPARSITY, "GSw helps the more", {"tweaks": ("none", "GSw"), "density": (0.05, 0.2, 0.8, 1.0)},
        _sparser("GSw"), 0.1, ["GSw"],
    ),
    "dense": (
        tost.GHOSTS_BY_SPARSITY, "GSk lowers", {"tweaks": ("none", "GSk"), "density": 1.0}, _with("GSk"), -0.03,
        ["momentum"],
    ),
    "stay": (
        tost.WHEN_GHOSTS_FADE, "ghosts that stay", {"tweaks": ("GSk", "GSw"), "ghost_decay": ("cosine", "none")},
        lambda runs: runs["ghost_decay"] == "none", 0.03, ["GSk", "GSw"],
    ),
    "later": (
        tost.WHEN_GHOSTS_FADE, "ghosts that fade after", {"tweaks": "GSk", "ghost_until": (0.5, 0.7, 0.9)},
        lambda runs: runs["ghost_until"] > 0.5, -0.03, ["GSk"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HALVES)
def test_a_half_sentence_is_true_false_or_absent_as_the_runs_are(name):
    claim, text, changed, where, size, cases = HALVES[name]
    for sign, answer in ((1, YES), (-1, OTHER_WAY)):
        study = make_study(DENSITIES, lambda runs, sign=sign: sign * size * where(runs), **changed)
        judged = judge_claims(study, claims=[claim, always(claim.paper)])
        assert answers(judged, text) == dict.fromkeys(cases, answer)
    judged = judge_claims(study[where(study).astype(float) == 0], claims=[claim, always(claim.paper)])
    assert answers(judged, text) == {}


@pytest.mark.parametrize(("schedules", "answer"), [(("cosine", "abrupt"), YES), ("abrupt", OTHER_WAY)])
def test_a_tweak_is_judged_by_the_papers_schedule_of_ghosts_where_it_is_trained(schedules, answer):
    def gain(runs):
        return np.where(runs["ghost_decay"] == "abrupt", -0.3, 0.03) * (runs["tweaks"] == "GSk")

    study = make_study(DENSITIES, gain, tweaks=("none", "GSk"), ghost_decay=schedules, ghost_until=0.5)
    judged = judge_claims(study, claims=[tost.EACH_TWEAK, always(tost.EACH_TWEAK.paper)])
    assert answers(judged, "GSk alone") == {"lottery tickets": answer}


@pytest.mark.parametrize(("factor", "answer"), [(0.5, YES), (2.0, OTHER_WAY)])
def test_curves_along_the_training_are_compared_run_by_run(factor, answer):
    study = make_study(
        DENSITIES, egf=lambda runs: -np.log(factor) * (runs["tweaks"] == "tost"), tweaks=("none", "tost")
    )
    rng = np.random.default_rng(1)
    rows = [
        (
            run.run_id,
            epoch,
            "top_eigenvalue",
            "total",
            np.exp(rng.normal(0, 0.1)) * (factor if run.tweaks == "tost" else 1),
        )
        for run in study.itertuples()
        for epoch in (0, 90, 179)
    ]
    diagnostics = pd.DataFrame(rows, columns=["run_id", "epoch", "measure", "layer", "value"])
    judged = judge_claims(study, diagnostics, claims=[tost.SMOOTHER_TRAINING])
    assert [half.verdict.answer for half in judged[0].halves] == [answer, answer]
    without = judge_claims(study, diagnostics.iloc[:0], claims=[tost.SMOOTHER_TRAINING])
    assert [half.verdict.answer for half in without[0].halves] == [NOT_TESTABLE, answer]


def test_eigenvalues_may_be_of_a_second_run_of_the_same_training():
    study = make_study(DENSITIES, tweaks=("none", "tost"))
    again = study.assign(run_id=study["run_id"] + "-watched", diagnostics="top_eigenvalue")
    both = pd.concat([study.assign(diagnostics=""), again], ignore_index=True)
    both.attrs["spec_columns"] = [*study.attrs["spec_columns"], "diagnostics"]
    diagnostics = pd.DataFrame(
        {"run_id": again["run_id"], "epoch": 0, "measure": "top_eigenvalue", "layer": "total", "value": 1.0}
    ).assign(value=lambda rows: np.where(again["tweaks"] == "tost", 0.5, 1.0))
    judged = judge_claims(both, diagnostics, claims=[tost.SMOOTHER_TRAINING])
    assert judged[0].halves[0].verdict.answer == YES
    assert "24 pairs" in judged[0].halves[0].verdict.reason


def _four_schedules(accuracy=None, **changed):
    """Returns a study of every schedule of section 3.4 at once, and of ghosts that go at once at the first decay."""
    schedules = {"cosine": (0.5, 0.75), "abrupt": (0.5, 0.95), "none": (np.nan,)}
    parts = [
        make_study(DENSITIES, tweaks=("GSk", "GSw"), ghost_decay=decay, ghost_until=until, seed=number, **changed)
        for number, (decay, until) in enumerate(schedules.items())
    ]
    study = pd.concat(parts, ignore_index=True)
    study.attrs = parts[0].attrs
    study["run_id"] = [f"run-{number}" for number in range(len(study))]
    return study if accuracy is None else study.assign(test_accuracy=study["test_accuracy"] + accuracy(study))


def test_every_schedule_is_compared_with_that_of_the_paper():
    """Of a study that has all, so that each has three others it might be compared with."""

    def changes(runs):
        late, at_once = runs["ghost_until"] == 0.75, (runs["ghost_decay"] == "abrupt") & (runs["ghost_until"] > 0.5)
        early = (runs["ghost_decay"] == "abrupt") & (runs["ghost_until"] == 0.5)
        return 0.03 * (runs["ghost_decay"] == "none") - 0.03 * late - 0.06 * at_once + 0.5 * early

    (judged,) = judge_claims(_four_schedules(changes), claims=[tost.WHEN_GHOSTS_FADE])
    for text, difference in (("stay", 0.03), ("fade after", -0.03), ("removed at once", -0.06)):
        halves = [half for half in judged.halves if text in half.text]
        assert [(half.case, half.verdict.answer) for half in halves] == [("GSk", YES), ("GSw", YES)]
        found = [
            float(half.numbers.split("difference ")[1].split(" [")[0].replace("\N{MINUS SIGN}", "-")) for half in halves
        ]
        assert found == pytest.approx([difference] * 2, abs=0.012)


def test_the_cost_of_other_schedules_is_judged_at_the_sparsity_of_the_paper():
    (judged,) = judge_claims(_four_schedules(), claims=[tost.WHEN_GHOSTS_FADE])
    pairs = {half.text: half.verdict.reason.split(" pairs")[0].split()[-1] for half in judged.halves}
    assert list(pairs.values()) == ["24", "12", "12"], "of two densities and of one"
    (elsewhere,) = judge_claims(_four_schedules(density=0.2), claims=[tost.WHEN_GHOSTS_FADE])
    assert [half.outside for half in elsewhere.halves if "after" in half.text] == [("95% sparsity (here 0.2)",)] * 2


def test_a_study_without_ghosts_that_go_at_once_says_so():
    study = make_study(DENSITIES, tweaks="GSk", ghost_decay=("cosine", "none"))
    half = judge_claims(study, claims=[tost.WHEN_GHOSTS_FADE])[0].halves[-1]
    assert (half.verdict.answer, half.case) == (NOT_TESTABLE, "")
    assert half.verdict.reason.startswith("no run whose ghosts are removed at once near the end beside one")


def test_other_masks_than_tickets_are_named_as_another_condition():
    study = make_study(DENSITIES, tweaks=("none", "GSk"), method="snip")
    judged = judge_claims(study, claims=[tost.EACH_TWEAK])
    assert judged[0].outside == ("lottery tickets (here snip)",)


def test_names_that_begin_as_those_of_the_paper_are_not_the_papers():
    """Such as a plugin's."""
    judged = judge_claims(
        make_study(DENSITIES, tweaks=("none", "GSk"), method="lottery (mine)"), claims=[tost.EACH_TWEAK]
    )
    assert judged[0].outside == ("lottery tickets (here lottery (mine))",)
    assert judge_claims(make_study(DENSITIES, tweaks=("none", "GSk (mine)")), claims=[tost.EACH_TWEAK]) == []


def test_tickets_of_several_distributions_are_tickets():
    study = make_study(DENSITIES, tweaks=("none", "GSk"), score="random", distribution=("global", "erk"))
    judged = judge_claims(study, claims=[tost.EACH_TWEAK])
    assert judged[0].outside == () and len(answers(judged, "GSk alone")) == 2


def test_runs_without_tweaks_are_partners_whatever_ghosts_they_do_not_have():
    """A field that does not apply to a run has its default in the results: other than that of runs with the tweak."""
    study = make_study(DENSITIES, lambda runs: 0.03 * (runs["tweaks"] == "GSk"), tweaks=("none", "GSk"))
    study["ghost_decay"] = np.where(study["tweaks"] == "GSk", "linear", "cosine")
    study.attrs["spec_columns"] = [*study.attrs["spec_columns"], "ghost_decay"]
    assert answers(judge_claims(study, claims=[tost.EACH_TWEAK]), "GSk alone") == {"lottery tickets": YES}
