"""Each half-sentence of the claims of Tessera et al., where it is true, where it is false, and where it is absent."""

import numpy as np
import pytest

from keras_sparseflow.analysis.claims import tessera
from keras_sparseflow.analysis.claims.judging import judge_claims
from keras_sparseflow.analysis.statistics.verdicts import NO_DIFFERENCE, NOT_TESTABLE, OTHER_WAY, YES
from tests.analysis.claims.made_up import PAIRS, WIDE_RESNETS, always, answers, has, make_study

LOW = {"learning_rate": 0.001}
L2, BN, DA, SC = (has(part) for part in ("L2", "BN", "DA", "SC"))


def _sparse(runs):
    return runs["arm"] == "sparse"


def _is(column, value):
    return lambda runs: runs[column] == value


def _lead(where=None):
    """Returns which runs are sparse, of those that a function names."""
    return lambda runs: _sparse(runs) & (True if where is None else where(runs))


# Claim, half-sentence, study, what changes where the claim says so, by how much (of EGF: in logarithms), cases.
HALVES = {
    "l2 accuracy": (
        tessera.L2_WITH_BATCHNORM, "L2 lowers accuracy", {"variant": ("BN", "L2_BN"), "optimizer": ("adam", "rmsprop")},
        "accuracy", L2, -0.05, 4,
    ),
    "l2 flow": (
        tessera.L2_WITH_BATCHNORM, "L2 raises EGF", {"variant": ("BN", "L2_BN"), "optimizer": ("sgd", "adam")},
        "egf", L2, 0.5, 4,
    ),
    "l2 sparse": (
        tessera.L2_WITHOUT_BATCHNORM, "L2 lowers the accuracy of sparse", {"variant": ("NR", "L2"), **LOW},
        "accuracy", _lead(L2), -0.05, 1,
    ),
    "l2 dense": (
        tessera.L2_WITHOUT_BATCHNORM, "L2 raises the accuracy of dense", {"variant": ("NR", "L2"), **LOW},
        "accuracy", lambda runs: ~_sparse(runs) & L2(runs), 0.05, 1,
    ),
    "no win": (
        tessera.FAVOURS_SPARSE, "without BatchNorm", {"optimizer": ("sgd", "adagrad")}, "accuracy", _sparse, -0.05, 2,
    ),
    "win": (
        tessera.FAVOURS_SPARSE, "with BatchNorm, and without L2",
        {"optimizer": "momentum", "variant": ("BN", "SC_BN"), "learning_rate": (0.1, 0.001)},
        "accuracy", _sparse, 0.05, 2,
    ),
    "win alone": (
        tessera.FAVOURS_SPARSE, "with BatchNorm alone",
        {"optimizer": "momentum", "variant": ("BN", "SC_BN"), "learning_rate": (0.1, 0.001)},
        "accuracy", _lead(_is("variant", "BN")), 0.05, 2,
    ),
    "ahead": (tessera.BRINGS_CLOSER, "without any", {"optimizer": ("adam", "rmsprop")}, "accuracy", _sparse, 0.05, 2),
    "lead": (
        tessera.BRINGS_CLOSER, "with BatchNorm alone (BN) their", {"variant": ("NR", "BN")},
        "accuracy", _lead(BN), -0.05, 1,
    ),
    "skips": (
        tessera.BEFORE_SKIPS, "BatchNorm alone (BN) is", {"variant": ("BN", "SC")}, "accuracy", BN, 0.05, 2,
    ),
    "both": (tessera.BEFORE_SKIPS, "with BatchNorm, skip", {"variant": ("BN", "SC_BN")}, "accuracy", SC, -0.05, 2),
    "level": (tessera.STEADIES_FLOW, "BatchNorm lowers EGF", {"variant": ("DA", "DA_BN")}, "egf", BN, -0.5, 2),
    "augmented": (
        tessera.AUGMENTATION, "at 0.001, without", {"variant": ("NR", "DA"), "learning_rate": 0.001},
        "accuracy", DA, -0.05, 2,
    ),
    "augmented with norm": (
        tessera.AUGMENTATION, "at 0.001, with ", {"variant": ("BN", "DA_BN"), "learning_rate": 0.001},
        "accuracy", DA, 0.05, 2,
    ),
    "augmented flow": (tessera.AUGMENTATION, "at 0.1, with BatchNorm, it raises EGF", {"variant": ("BN", "DA_BN")},
                       "egf", DA, 0.5, 2),
    "augmented adam": (tessera.AUGMENTATION, "at 0.1, with BatchNorm, it lowers", {"variant": ("BN", "DA_BN")},
                       "accuracy", DA, -0.05, 2),
    "augmented sgd": (
        tessera.AUGMENTATION, "at 0.1, with BatchNorm, it raises accuracy",
        {"variant": ("BN", "DA_BN"), "optimizer": "sgd"}, "accuracy", DA, 0.05, 2,
    ),
    "adamw flow": (
        tessera.DECOUPLED_DECAY, "AdamW has", {"variant": "L2_BN", "optimizer": ("adam", "adamw")},
        "egf", _is("optimizer", "adamw"), -0.5, 2,
    ),
    "adamw accuracy": (
        tessera.DECOUPLED_DECAY, "AdamW is more accurate", {"variant": "L2_BN", "optimizer": ("adam", "adamw")},
        "accuracy", _is("optimizer", "adamw"), 0.05, 2,
    ),
    "swish flow": (tessera.SOFT_ACTIVATIONS, "Swish has", {"activation": ("relu", "swish")},
                   "egf", _is("activation", "swish"), -0.5, 2),
    "swish": (tessera.SOFT_ACTIVATIONS, "Swish is", {"activation": ("relu", "swish")},
              "accuracy", _is("activation", "swish"), 0.05, 2),
    "prelu": (tessera.SOFT_ACTIVATIONS, "PReLU is", {"activation": ("relu", "prelu"), "optimizer": "sgd"},
              "accuracy", _is("activation", "prelu"), 0.05, 2),
    "swish sparse": (tessera.SOFT_ACTIVATIONS, "with Swish", {"activation": "swish"}, "accuracy", _sparse, 0.05, 1),
    "prelu sparse": (tessera.SOFT_ACTIVATIONS, "with PReLU", {"activation": "prelu"}, "accuracy", _sparse, 0.05, 1),
}  # fmt: skip
SMALL = "images in their own size (here 8 pixels a side)"
IN_WIDE_RESNETS = {
    "random": ("random masks: L2 lowers", "random", "accuracy", -0.05),
    "random flow": ("random masks: L2 raises", "random", "egf", 0.5),
    "pruned": ("magnitude pruning: L2 lowers", "magnitude", "accuracy", -0.05),
    "pruned flow": ("magnitude pruning: L2 raises", "magnitude", "egf", 0.5),
}


def _judged(claim, axes, changed, of, where, size):
    """Returns a study and what it says of a claim, beside another one of this paper, which every study can test."""
    study = make_study(axes, **{of: lambda runs: size * where(runs)}, **changed)
    return study, judge_claims(study, claims=[claim, always(claim.paper)])


@pytest.mark.parametrize("name", HALVES)
def test_a_half_sentence_is_true_false_or_absent_as_the_runs_are(name):
    claim, text, changed, of, where, size, cases = HALVES[name]
    _, judged = _judged(claim, PAIRS, changed, of, where, size)
    assert list(answers(judged, text).values()) == [YES] * cases
    study, judged = _judged(claim, PAIRS, changed, of, where, -size)
    assert list(answers(judged, text).values()) == [OTHER_WAY] * cases
    one_side = study[~where(study).astype(bool)]
    judged = judge_claims(one_side, claims=[claim, always(claim.paper)])
    assert answers(judged, text) == {}
    first = next(half for half in judged[0].halves if half.text.startswith(text))
    assert (first.verdict.answer, first.verdict.reason[:3]) == (NOT_TESTABLE, "no ")


@pytest.mark.parametrize("name", IN_WIDE_RESNETS)
def test_l2_in_wide_resnets(name):
    text, method, of, size = IN_WIDE_RESNETS[name]
    changed = {"variant": ("BN", "L2_BN", "DA_SC_BN", "DA_L2_SC_BN"), "optimizer": "adam", "method": method}
    for sign, answer in ((1, YES), (-1, OTHER_WAY)):
        study, judged = _judged(tessera.L2_IN_WIDE_RESNETS, WIDE_RESNETS, changed, of, L2, sign * size)
        assert answers(judged, text) == {"adam": answer}
    other = judge_claims(study, claims=[tessera.L2_WITH_BATCHNORM, tessera.L2_IN_WIDE_RESNETS])
    reasons = {half.verdict.reason for half in other[0].halves}
    assert reasons == {"the paper makes it for multilayer perceptrons; this study has wide_resnet"}


def test_adamw_with_swish_is_judged_in_wide_resnets_alone():
    changed = {"optimizer": ("adam", "adamw"), "activation": ("relu", "swish")}
    swish = _is("activation", "swish")
    text = "AdamW is more accurate in Wide ResNets with Swish"
    study, judged = _judged(
        tessera.DECOUPLED_DECAY,
        WIDE_RESNETS,
        changed,
        "accuracy",
        lambda r: swish(r) & (r["optimizer"] == "adamw"),
        0.05,
    )
    assert answers(judged, text) == {"sparse networks": YES}
    judged = judge_claims(study.assign(model="resnet"), claims=[tessera.DECOUPLED_DECAY])
    assert judged[0].halves[-1].verdict.reason == "the paper makes it for Wide ResNets; this study has resnet"


def test_coupled_decay_under_adamw_is_not_its_own():
    study = make_study(PAIRS, variant="L2_BN", optimizer=("adam", "adamw"), l2_form="loss")
    assert judge_claims(study, claims=[tessera.DECOUPLED_DECAY]) == []


@pytest.mark.parametrize(("factor", "answer"), [(0.1, YES), (10.0, OTHER_WAY)])
def test_batchnorm_steadies_flow_where_runs_lie_nearer_to_their_median(factor, answer):
    study = make_study(PAIRS, variant=("NR", "BN"))
    level = np.where(BN(study), 1 + factor * (study["egf_2"] - 1), study["egf_2"])
    judged = judge_claims(study.assign(egf_2=level), claims=[tessera.STEADIES_FLOW])
    assert set(answers(judged, "BatchNorm steadies EGF").values()) == {answer}


@pytest.mark.parametrize("sign", [1, -1])
def test_flow_that_goes_with_low_accuracy_over_variants(sign):
    rank = {"NR": 0, "BN": 1, "L2": 2, "SC": 3}
    study = make_study(
        PAIRS,
        lambda runs: -0.05 * sign * runs["variant"].map(rank),
        lambda runs: runs["variant"].map(rank),
        variant=tuple(rank),
        optimizer=("adam", "sgd"),
    )
    judged = judge_claims(study, claims=[tessera.HIGH_FLOW_HARMS])
    assert set(answers(judged, "under Adam").values()) == {YES if sign > 0 else OTHER_WAY}
    assert set(answers(judged, "under Adagrad").values()) == {OTHER_WAY if sign > 0 else YES}
    study.loc[0, "egf_2"] = np.inf
    assert judge_claims(study, claims=[tessera.HIGH_FLOW_HARMS])
    two = judge_claims(study[study["variant"].isin(("NR", "BN"))], claims=[tessera.HIGH_FLOW_HARMS])
    assert two == []


def test_no_difference_is_as_claimed_where_the_paper_denies_one():
    judged = judge_claims(make_study(PAIRS, optimizer="sgd"), claims=[tessera.FAVOURS_SPARSE])
    half = judged[0].halves[0]
    assert (half.verdict.answer, half.as_claimed) == (NO_DIFFERENCE, True)


def test_the_taus_of_one_norm_are_compared():
    axes = {"variant": ("NR", "BN", "L2", "SC"), "optimizer": ("adam", "sgd", "rmsprop", "momentum")}
    study = make_study(PAIRS, **axes)
    judged = judge_claims(study, claims=[tessera.EGF_LEADS])
    assert set(answers(judged, "EGF").values()) == {NO_DIFFERENCE}
    study["egf_1"] = np.exp(-30 * study["test_accuracy"])
    study["grad_norm_2"] = np.exp(30 * study["test_accuracy"])
    judged = judge_claims(study, claims=[tessera.EGF_LEADS])
    assert answers(judged, "EGF") == {
        "test loss, 1-norm": YES,
        "test accuracy, 1-norm": YES,
        "test loss, 2-norm": OTHER_WAY,
        "test accuracy, 2-norm": OTHER_WAY,
    }
    assert "lead in |mean tau| +" in judged[0].halves[0].numbers
    assert judge_claims(study[study["arm"] == "dense"], claims=[tessera.EGF_LEADS]) == []
    assert judge_claims(study.drop(columns=["egf_1", "egf_2"]), claims=[tessera.EGF_LEADS]) == []


@pytest.mark.parametrize(
    ("dataset", "size", "pad", "outside"),
    [
        ("cifar100", None, 4, ()),
        ("fashion_mnist", None, 4, ()),
        ("cifar100", 8, 1, (SMALL,)),
        ("cifar100", 8, None, (SMALL,)),
        (
            "cifar100",
            8,
            4,
            (
                SMALL,
                "padding of an eighth of the images' side (here 4 pixels of 8)",
            ),
        ),
    ],
)
def test_padding_that_is_not_scaled_with_the_images_is_named(dataset, size, pad, outside):
    study = make_study(PAIRS, variant=("BN", "DA_BN"), dataset=dataset, image_size=size)
    study["augment_pad"] = np.where(DA(study), pad, None)
    study.attrs["spec_columns"] = [*study.attrs["spec_columns"], "augment_pad"]
    assert judge_claims(study, claims=[tessera.AUGMENTATION])[0].outside == outside


def test_the_paper_has_twelve_claims_whose_places_differ_in_words():
    assert len({claim.text for claim in tessera.CLAIMS}) == 12
    assert all(claim.place and claim.halves and claim.conditions for claim in tessera.CLAIMS)
