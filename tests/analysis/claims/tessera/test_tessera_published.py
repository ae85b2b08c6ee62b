"""The numbers that the paper prints do not speak against its claims, and say no more than they can."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims import tessera
from keras_sparseflow.analysis.claims.correlated import leads
from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.analysis.published.tessera_tables import MEASURES, OPTIMIZERS, load_kendall_tau, load_p_values
from keras_sparseflow.analysis.statistics.signed_rank import wilcoxon_signed_rank
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, OTHER_WAY, TOO_FEW, YES, correct, judge
from tests.analysis.claims.made_up import PAIRS, answers, make_study

RANKS = np.arange(1, 16)


def _differences(p_value):
    """Returns differences of 15 pairs whose one-tailed p-value is the nearest to a published one."""
    shares = np.ones(1)
    for rank in RANKS:
        shares = (np.pad(shares, (0, rank)) + np.pad(shares, (rank, 0))) / 2
    above = np.cumsum(shares[::-1])[::-1]
    left, signs = int(np.argmin(np.abs(above - p_value))), -np.ones(15)
    for rank in RANKS[::-1]:
        if rank <= left:
            signs[rank - 1], left = 1, left - rank
    return signs * RANKS / 1000


def _as_published(*tables):
    """Returns a study of the cells of some tables, each with pairs that give its p-value."""
    ours = {theirs: name for name, theirs in OPTIMIZERS.items()}
    cells = load_p_values().query("table in @tables")
    parts = []
    for cell in cells.to_dict("records"):
        by_variant = cell["axis"] == "regularization"
        study = make_study(
            PAIRS,
            learning_rate=cell["learning_rate"],
            optimizer=ours[cell["optimizer"]],
            variant=cell["variant"] if by_variant else "DA_SC_BN",
            activation="relu" if by_variant else cell["variant"],
        )
        sparse = (study["arm"] == "sparse").to_numpy()
        accuracy = np.full(len(study), 0.5)
        accuracy[sparse] += _differences(cell["p_value"])
        assert wilcoxon_signed_rank(accuracy[sparse], accuracy[~sparse]).p_value == pytest.approx(
            cell["p_value"], abs=0.01
        )
        parts.append(study.assign(test_accuracy=accuracy, run_id=study["run_id"] + str(len(parts))))
    return pd.concat(parts, ignore_index=True).drop(columns=[*MEASURES])


def test_tables_of_regularisation_bear_out_the_claims_on_batchnorm():
    judged = judge_claims(_as_published("3a", "3b"), claims=[tessera.FAVOURS_SPARSE, tessera.BRINGS_CLOSER])
    assert all(half.as_claimed for half in judged[0].halves)
    assert set(answers(judged, "with BatchNorm, and").values()) == {YES}
    assert len(answers(judged, "with BatchNorm, and")) == 6, "three optimizers at two rates"
    assert set(answers(judged, "without any").values()) == {YES}
    assert OTHER_WAY not in answers(judged, "with BatchNorm alone (BN) their").values()


def test_tables_of_activations_bear_out_that_both_favour_sparse_networks():
    found = []
    for table in ("3c", "6b"):
        arms_alone = replace(tessera.SOFT_ACTIVATIONS, halves=tessera.SOFT_ACTIVATIONS.halves[3:])
        judged = judge_claims(_as_published(table), claims=[arms_alone])
        for name in ("Swish", "PReLU"):
            assert len(answers(judged, f"with {name}")) == 5
            found += answers(judged, f"with {name}").values()
    assert set(found) == {YES, NO_DIFFERENCE}, "the corrected ones; none the other way"


@pytest.mark.parametrize("arm", ["sparse", "dense"])
def test_means_over_three_datasets_are_too_few_to_tell_which_measure_leads(arm):
    taus = load_kendall_tau().rename(columns={"mean_abs_tau": "tau"}).query("architecture == @arm")
    ours = {theirs: name for name, theirs in MEASURES.items()}
    cases = leads(taus.assign(measure=taus["measure"].map(ours)), ["dataset"])
    assert [case.name for case in cases] == [f"test {of}, {p}-norm" for of in ("loss", "accuracy") for p in (1, 2)]
    tests = [case.test() for case in cases]
    corrected, family = correct(tests)
    assert {judge(t, p, family).answer for t, p in zip(tests, corrected, strict=True)} == {TOO_FEW}
    if arm == "sparse":
        assert tests[3].median_difference == pytest.approx(0.396 - 0.393, abs=0.03)
        assert (np.array([tests[1].median_difference, tests[3].median_difference]) > 0).all()


@pytest.mark.parametrize(
    ("egf", "raw", "answer"), [(0.5, -0.5, NO_DIFFERENCE), (0.1, -0.5, OTHER_WAY), (-0.5, 0.1, YES)]
)
def test_norms_that_correlate_with_opposite_signs_are_compared_by_strength_and_not_by_side(egf, raw, answer):
    spread = np.linspace(-0.05, 0.05, 12)
    taus = pd.DataFrame(
        [
            {"cell": cell, "measure": measure, "target": "test_accuracy", "tau": tau}
            for cell, (first, second) in enumerate(zip(egf + spread, raw + spread, strict=True))
            for measure, tau in (("egf_1", first), ("grad_norm_1", second))
        ]
    )
    (case,) = leads(taus, ["cell"])
    test = case.test()
    corrected, family = correct([test])
    assert judge(test, corrected[0], family).answer == answer
    assert case.sides == ("mean tau of EGF_1", "of minus ||g||_1")
    assert test.median_difference == pytest.approx(abs(egf) - abs(raw), abs=0.11)


def test_longer_trainings_of_other_data_are_named_as_other_conditions():
    study = make_study(PAIRS, optimizer="sgd", dataset="digits", epochs=30, hidden_layers=2)
    judged = judge_claims(study, claims=[tessera.FAVOURS_SPARSE])
    assert judged[0].outside == (
        "CIFAR-100, CIFAR-10 or Fashion-MNIST (here digits)",
        "four hidden layers (here 2)",
        "500 epochs or more (here 30)",
    )
