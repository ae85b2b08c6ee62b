import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.claims.tessera import activation_claim, batchnorm_claim, claims, flow_claim, l2_claim
from keras_sparseflow.analysis.published.tessera_tables import MEASURES, OPTIMIZERS, load_kendall_tau, load_p_values
from keras_sparseflow.analysis.statistics.correlation import correlate_flow
from keras_sparseflow.analysis.statistics.paired_tests import compare_arms

CELL = {"dataset": "cifar100", "hidden_layers": 4, "learning_rate": 0.1, "activation": "relu", "optimizer": "sgd"}


def _published(*tables):
    """Returns the paper's own p-values as if a study had found them."""
    ours = {theirs: name for name, theirs in OPTIMIZERS.items()}
    rows = load_p_values().query("table in @tables").rename(columns={"variant": "column"})
    by_variant = rows["axis"] == "regularization"
    rows["variant"] = rows["column"].where(by_variant, "DA_SC_BN")
    rows["activation"] = rows["column"].mask(by_variant, "relu")
    return rows.assign(optimizer=rows["optimizer"].map(ours))


def _cells(p_values, **columns):
    return pd.DataFrame([{**CELL, "variant": variant, "p_value": p} for variant, p in p_values]).assign(**columns)


def _taus(**values):
    """Returns taus of sparse networks: a mean |tau| per measure, the same for both targets."""
    rows = [(m, t, v) for m, v in values.items() for t in ("test_loss", "test_accuracy")]
    return pd.DataFrame(rows, columns=["measure", "target", "mean_abs_tau"]).assign(dataset="d", arm="sparse")


def test_the_papers_own_numbers_support_its_claims():
    batchnorm = batchnorm_claim(_published("3a", "3b"))
    assert batchnorm.verdict == "supported"
    # Table 3a: all twelve; 3b: 18 less L2_BN of Adagrad and momentum and DA_L2_SC_BN of momentum.
    assert batchnorm.numbers == (
        "Sparse beats dense (p < 0.05) in 27 of 30 cells with BatchNorm.",
        "Sparse beats dense (p < 0.05) in 0 of 12 cells without BatchNorm.",
    )
    for tables, numbers in ((("3c",), ("3 of 5", "4 of 5")), (("6b",), ("4 of 5", "5 of 5"))):
        activation = activation_claim(_published(*tables))
        assert activation.verdict == "supported"
        assert activation.numbers == tuple(
            f"{name}: sparse beats dense (p < 0.05) in {count} cells."
            for name, count in zip(("Swish", "PReLU"), numbers, strict=True)
        )
    theirs = load_kendall_tau().rename(columns={"architecture": "arm"})
    theirs["measure"] = theirs["measure"].map({name: ours for ours, name in MEASURES.items()})
    flow = flow_claim(theirs)
    assert flow.verdict == "supported"
    assert len(flow.numbers) == 6
    assert "Test loss on cifar10: mean |tau| 0.451 for the better EGF, 0.447 for the better raw norm." in flow.numbers


@pytest.mark.parametrize(
    ("p_values", "verdict"),
    [
        ([("BN", 0.01), ("L2_BN", 0.2), ("NR", 0.9)], "supported"),
        ([("BN", 0.01), ("L2_BN", 0.2), ("SC_BN", 0.2), ("NR", 0.9)], "mixed"),
        ([("BN", 0.01), ("NR", 0.01)], "not supported"),
        ([("BN", 0.3), ("NR", 0.9)], "not supported"),
        ([("BN", 0.01)], "not tested here"),
        ([("BN", np.nan), ("NR", 0.9)], "not tested here"),
        ([("NR", 0.01)], "not tested here"),
    ],
)
def test_verdicts_about_batchnorm(p_values, verdict):
    assert batchnorm_claim(_cells(p_values)).verdict == verdict


def test_only_optimizers_without_a_moving_average_count_for_batchnorm():
    assert batchnorm_claim(_cells([("BN", 0.01), ("NR", 0.9)], optimizer="adam")).verdict == "not tested here"
    assert batchnorm_claim(_cells([("BN", 0.01), ("NR", 0.9)], optimizer="adagrad")).verdict == "supported"


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ({"egf_2": 0.4, "grad_norm_2": 0.3}, "supported"),
        ({"egf_1": 0.4, "egf_2": 0.1, "grad_norm_1": 0.1, "grad_norm_2": 0.3}, "supported"),
        ({"egf_2": 0.3, "grad_norm_2": 0.3}, "not supported"),
        ({"egf_2": 0.4}, "not tested here"),
        ({"egf_2": np.nan, "grad_norm_2": 0.3}, "not tested here"),
    ],
)
def test_verdicts_about_flow(values, verdict):
    assert flow_claim(_taus(**values)).verdict == verdict


def test_flow_that_leads_for_one_target_alone_is_mixed():
    taus = _taus(egf_2=0.4, grad_norm_2=0.3)
    taus.loc[(taus["measure"] == "egf_2") & (taus["target"] == "test_loss"), "mean_abs_tau"] = 0.2
    assert flow_claim(taus).verdict == "mixed"
    assert flow_claim(taus.assign(arm="dense")).verdict == "not tested here"


@pytest.mark.parametrize(
    ("swish", "prelu", "verdict"),
    [
        ([0.01, 0.02, 0.3], [0.01], "supported"),
        ([0.01, 0.3], [0.01], "mixed"),
        ([0.4], [0.05], "not supported"),
        ([0.01], [], "not tested here"),
    ],
)
def test_verdicts_about_activations(swish, prelu, verdict):
    cells = [_cells([("BN", p)], activation=name) for name, ps in (("swish", swish), ("prelu", prelu)) for p in ps]
    assert activation_claim(pd.concat(cells)).verdict == verdict


def _l2(make_results, optimizers, egf=3.0, loss=0.02):
    results = make_results(optimizers, ("NR",))
    with_l2 = results.assign(variant="L2", run_id="l2-" + results["run_id"], egf_2=results["egf_2"] * egf)
    with_l2["test_accuracy"] -= loss
    return pd.concat([results, with_l2], ignore_index=True)


def test_verdicts_about_l2(make_results):
    assert l2_claim(_l2(make_results, ("adam", "rmsprop"))).verdict == "supported"
    assert l2_claim(_l2(make_results, ("adam",), egf=0.5)).verdict == "not supported"
    assert l2_claim(_l2(make_results, ("adam",), loss=-0.02)).verdict == "not supported"
    assert l2_claim(_l2(make_results, ("sgd",))).verdict == "not tested here"
    both = pd.concat([_l2(make_results, ("adam",)), _l2(make_results, ("rmsprop",), loss=-0.01)], ignore_index=True)
    assert l2_claim(both).verdict == "mixed"


def test_numbers_about_l2_are_those_of_the_runs(make_results):
    made = l2_claim(_l2(make_results, ("adam",)))
    assert made.numbers[0] == (
        "adam, dense: mean EGF (end of epoch) with L2 is 3 times that without; median difference in accuracy -0.0200, "
        "one-tailed p = 0.000 (H1: lower with L2; 15 pairs of runs)."
    )
    assert len(made.numbers) == 2
    assert "is 1.002 times that" in l2_claim(_l2(make_results, ("adam",), egf=1.002)).numbers[0]


def test_egf_1_stands_in_where_egf_2_was_not_measured(make_results):
    results = _l2(make_results, ("adam",)).drop(columns="egf_2")
    assert "mean EGF (end of epoch) with L2 is 1 times that without;" in l2_claim(results).numbers[0]
    none = l2_claim(results.drop(columns="egf_1"))
    assert (none.verdict, none.numbers) == ("not tested here", ("No EGF was measured.",))


def test_every_claim_has_a_verdict_numbers_and_a_rule(make_results):
    results = make_results()
    made = claims(results, compare_arms(results), correlate_flow(results))
    assert [claim.verdict for claim in made[:2]] == ["supported", "not tested here"]
    assert made[3].verdict == "not tested here"
    assert all(claim.claim and claim.rule and claim.numbers for claim in made)
    without_flow = results.drop(columns=list(MEASURES))
    assert claims(without_flow, compare_arms(without_flow))[2].verdict == "not tested here"


def test_alpha_is_the_line_of_every_claim(make_results):
    cells = _cells([("BN", 0.04), ("NR", 0.9)])
    assert batchnorm_claim(cells, alpha=0.01).verdict == "not supported"
    assert "p < 0.01" in batchnorm_claim(cells, alpha=0.01).numbers[0]
    both = pd.concat([cells.assign(activation=name) for name in ("swish", "prelu")]).query("variant == 'BN'")
    assert (activation_claim(both).verdict, activation_claim(both, 0.01).verdict) == ("supported", "not supported")
    few = _l2(make_results, ("adam",)).query("dense_width == 7")
    assert (l2_claim(few).verdict, l2_claim(few, 0.2).verdict) == ("not supported", "supported")


def test_cells_of_too_few_pairs_to_be_significant_tell_nothing():
    """Of four pairs p is at least 0.0625, of five 0.03125."""
    cells = [("NR", 0.9), ("BN", 0.0625)]
    assert batchnorm_claim(_cells(cells, pairs=4)).verdict == "not tested here"
    assert batchnorm_claim(_cells(cells, pairs=5)).verdict == "not supported"
    few = pd.concat([_cells([("BN", 0.03)], pairs=n, activation=a) for a, n in (("swish", 5), ("prelu", 4))])
    assert activation_claim(few).verdict == "not tested here"
