"""Pairs of runs: which partner a run has, and what counts once."""

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims.case import HIGHER
from keras_sparseflow.analysis.claims.evidence import gather, parts_of
from keras_sparseflow.analysis.claims.run_by_run import (
    ACCURACY,
    EGF,
    SPARSE_AND_DENSE,
    Comparison,
    Difference,
    part,
    values,
)
from tests.analysis.claims.made_up import DENSITIES, PAIRS, has, make_study


def _evidence(study, **changed):
    return gather(study, None, **{"value": "test_accuracy", "diverged": "worst", **changed})


def test_names_of_variants_are_read_part_by_part():
    parts = parts_of(pd.Series(["NR", "DA_L2_SC_BN", "none", "GSk_LS"]))
    assert [sorted(names) for names in parts] == [[], ["BN", "DA", "L2", "SC"], [], ["GSk", "LS"]]


def test_runs_differ_in_the_part_alone():
    study = make_study(PAIRS, variant=("NR", "L2", "BN", "DA_L2_BN"))
    pairs = Comparison(part("L2"), ACCURACY, HIGHER).pairs(_evidence(study))
    assert len(pairs) == 30, "L2 with NR; DA_L2_BN has no partner"
    at = study.set_index(["variant", "dense_width", "seed", "arm"])["test_accuracy"].to_dict()
    for row in pairs.itertuples():
        place = (row.dense_width, row.seed, row.arm)
        assert (row.first, row.second) == (at[("L2", *place)], at[("NR", *place)])


def test_fields_of_a_part_do_not_keep_partners_apart():
    """A run without L2 has the default of lambda in the results, and the study may have another."""
    study = make_study(PAIRS, variant=("BN", "L2_BN"))
    study["l2"] = np.where(has("L2")(study), 5e-4, 1e-4)
    study.attrs["spec_columns"] = [*study.attrs["spec_columns"], "l2"]
    assert len(Comparison(part("L2"), ACCURACY, HIGHER).pairs(_evidence(study))) == 30


def test_runs_of_two_lambdas_have_one_partner_and_count_once():
    study = make_study(PAIRS, variant=("BN", "L2_BN"), l2=(1e-4, 5e-4))
    study = study[has("L2")(study) | (study["l2"] == 1e-4)]
    comparison = Comparison(part("L2"), ACCURACY, HIGHER)
    assert len(comparison.pairs(_evidence(study))) == 60
    cases = comparison(_evidence(study))
    assert [(case.name, len(case.first)) for case in cases] == [
        ("adam, sparse networks", 15),
        ("adam, dense networks", 15),
    ]
    with_l2 = study[has("L2")(study) & (study["arm"] == "sparse")]
    means = with_l2.groupby(["dense_width", "seed"])["test_accuracy"].mean()
    assert sorted(cases[0].first) == pytest.approx(sorted(means))


def test_decoupled_decay_is_no_l2():
    study = make_study(PAIRS, variant=("BN", "L2_BN"), optimizer=("adam", "adamw"))
    names = [case.name for case in Comparison(part("L2"), ACCURACY, HIGHER)(_evidence(study))]
    assert names == ["adam, sparse networks", "adam, dense networks"]
    coupled = Comparison(part("L2"), ACCURACY, HIGHER)(_evidence(study.assign(l2_form="loss")))
    assert len(coupled) == 4


def test_a_dense_run_in_several_pairs_counts_once():
    study = make_study(PAIRS, variant=("BN", "L2_BN"), score=("random", "magnitude"))
    first = study.groupby(["variant", "dense_width", "seed"])
    dense = study["arm"] == "dense"
    shared = study.assign(test_accuracy=first["test_accuracy"].transform("last")).loc[dense]
    study = pd.concat([study[~dense], shared], ignore_index=True)
    cases = Comparison(part("L2"), ACCURACY, HIGHER)(_evidence(study))
    assert {case.name: len(case.first) for case in cases} == {"adam, sparse networks": 15, "adam, dense networks": 15}


def test_ratios_leave_out_what_has_no_logarithm():
    study = make_study(PAIRS, variant=("BN", "L2_BN"))
    study.loc[0, "egf_2"], study.loc[1, "egf_2"] = 0.0, np.nan
    study.loc[2, "diverged"], study.loc[3, "egf_2"] = True, np.inf
    pairs = Comparison(part("L2"), EGF, HIGHER).pairs(_evidence(study))
    assert len(pairs) == 26
    assert np.isfinite(pairs[["first", "second"]].astype(float)).all(axis=None)


def test_leads_are_compared_as_numbers_of_pairs():
    study = make_study(PAIRS, lambda runs: 0.1 * (runs["arm"] == "sparse"), variant=("NR", "BN"))
    lead = Difference(Comparison(SPARSE_AND_DENSE, ACCURACY, HIGHER))
    (case,) = Comparison(part("BN"), lead, HIGHER, by=("optimizer",))(_evidence(study))
    assert len(case.first) == 15
    assert case.first.mean() == pytest.approx(0.1, abs=0.01)


def test_networks_over_densities_have_arms_but_no_pairs_of_them():
    study = make_study(DENSITIES, density=(0.1, 1.0))
    evidence = _evidence(study)
    assert evidence.runs.groupby("density")["arm"].first().to_dict() == {0.1: "sparse", 1.0: "dense"}
    assert Comparison(SPARSE_AND_DENSE, ACCURACY, HIGHER)(evidence) == []


def test_names_of_cases_tell_what_varies():
    study = make_study(PAIRS, activation=("relu", "swish"), learning_rate=(0.1, 0.001))
    by = ("optimizer", "arm", "learning_rate")
    cases = Comparison(values("activation", "swish", "relu"), ACCURACY, HIGHER, by=by)(_evidence(study))
    assert [case.name for case in cases][:2] == [
        "adam, sparse networks, learning rate 0.1",
        "adam, dense networks, learning rate 0.1",
    ]
    assert cases[0].sides == ("swish", "relu")
