import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from keras_sparseflow.analysis.published.agreement import agreement, agreement_sentences
from keras_sparseflow.analysis.published.tessera_tables import with_published
from keras_sparseflow.analysis.statistics.paired_tests import compare_arms


def _comparison(ours, theirs, **columns):
    return pd.DataFrame({"p_value": ours, "p_holm": ours, "published_p": theirs, **columns}, dtype=float)


def test_counts_by_hand():
    ours = [0.01, 0.02, 0.03, 0.5, 0.05, 0.9, np.nan, 0.01]
    theirs = [0.04, 0.06, 1.0, 0.01, 0.05, 0.8, 0.01, np.nan]
    found = agreement(_comparison(ours, theirs))
    assert (found.cells, found.both, found.only_ours, found.only_published, found.neither) == (6, 1, 2, 1, 2)
    assert found.same_side == 3


def test_significance_here_is_that_of_the_corrected_p_on_the_side_of_sparse_networks():
    ours, theirs = [0.01, 0.01, 0.999, 0.01], [0.01, 0.01, 0.01, 0.5]
    found = agreement(_comparison(ours, theirs, p_holm=[0.04, 0.06, 0.008, np.nan]))
    assert (found.both, found.only_ours, found.only_published, found.neither) == (1, 0, 2, 1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=3, max_size=15))
def test_rank_correlations_equal_scipys(cells):
    ours, theirs = np.array(cells).T / 8
    found = agreement(_comparison(ours, theirs))
    if len(set(ours)) == 1 or len(set(theirs)) == 1:
        assert np.isnan([found.kendall_tau, found.spearman_rho]).all()
        return
    assert found.kendall_tau == pytest.approx(stats.kendalltau(ours, theirs).statistic)
    assert found.spearman_rho == pytest.approx(stats.spearmanr(ours, theirs).statistic)
    assert found.both + found.only_ours + found.only_published + found.neither == found.cells == len(cells)


def test_too_few_cells_have_no_rank_correlation():
    found = agreement(_comparison([0.1, 0.2], [0.1, 0.2]))
    assert np.isnan([found.kendall_tau, found.spearman_rho]).all()
    assert agreement_sentences(found)[0] == (
        "Ours and the paper agree about significance (p < 0.05) in 2 of 2 cells that it has."
    )


def test_alpha_is_the_line():
    comparison = _comparison([0.03, 0.2, 0.9], [0.07, 0.01, 1.0])
    assert agreement(comparison).same_side == 1
    assert agreement(comparison, alpha=0.1).same_side == 2
    with pytest.raises(ValueError, match=r"`alpha` must be in \(0, 1\); received 5"):
        agreement(comparison, alpha=5)


def test_sentences_are_the_numbers():
    comparison = _comparison([0.01, 0.02, 0.5, 0.9], [0.04, 0.06, 0.01, 0.8])
    comparison["published_assumed"] = [True, False, False, False]
    assert agreement_sentences(agreement(comparison)) == [
        "Ours and the paper agree about significance (p < 0.05) in 2 of 4 cells that it has; "
        "rank correlation of the one-tailed p-values 0.40 (Spearman's rho; Kendall's tau-b 0.33).",
        "A cell counts as significant here where the two-sided p, corrected by Holm's procedure, is below 0.05 and "
        "sparse ranks above dense; in the paper where its one-tailed p, not corrected, is.",
        "Significant in both: 1; here alone: 1; in the paper alone: 1; in neither: 1.",
        "For 1 of the 4 cells the paper does not say which variant was trained; ours is an assumption.",
    ]


def test_nothing_published_is_nothing_said(make_results):
    found = agreement(with_published(compare_arms(make_results())))
    assert (found.cells, found.same_side) == (0, 0)
    assert agreement_sentences(found) == []


def test_a_study_of_the_papers_cells_is_counted(make_results):
    results = make_results(("adagrad", "adam"), ("NR", "BN"), dataset="fashion_mnist", hidden_layers=4)
    found = agreement(with_published(compare_arms(results)))
    # Ours: sparse is better under BN. Table 4: Adagrad 0.993 and 0.001, Adam 0.170 and 0.020.
    assert (found.cells, found.both, found.neither) == (4, 2, 2)


def test_columns_must_be_there():
    with pytest.raises(ValueError, match="`comparison` must have .*missing: published_p"):
        agreement(pd.DataFrame({"p_value": [0.1], "p_holm": [0.1]}))
