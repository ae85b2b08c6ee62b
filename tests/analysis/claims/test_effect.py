import numpy as np
import pytest
from scipy import stats

from keras_sparseflow.analysis.claims.effect import effect_of
from tests.analysis.claims.made_up import PAIRS, has, make_study


def test_the_effect_is_that_of_the_part_alone():
    study = make_study(
        PAIRS, lambda runs: -0.03 * has("L2")(runs), variant=("NR", "L2", "BN", "L2_BN"), optimizer=("adam", "sgd")
    )
    table = effect_of(study, "L2", has=("BN",))
    assert table[["optimizer", "arm", "pairs", "verdict"]].to_numpy().tolist() == [
        [optimizer, arm, 15, "the other way"] for optimizer in ("adam", "sgd") for arm in ("sparse", "dense")
    ]
    for row in table.to_dict("records"):
        inside = study.query("optimizer == @row['optimizer'] and arm == @row['arm']")
        accuracy = inside.set_index(["variant", "dense_width", "seed"])["test_accuracy"].unstack("variant")
        difference = accuracy["L2_BN"] - accuracy["BN"]
        assert row["median_difference"] == pytest.approx(np.median(difference))
        assert row["p_two_sided"] == pytest.approx(stats.wilcoxon(difference).pvalue)


def test_any_column_may_be_compared_and_nothing_gives_an_empty_table():
    study = make_study(PAIRS, egf=lambda runs: 1.0 * has("BN")(runs), variant=("NR", "BN"))
    assert set(effect_of(study, "BN", value="egf_2")["verdict"]) == {"yes"}
    table = effect_of(study, "L2")
    assert table.empty
    assert {"optimizer", "arm", "pairs", "difference", "p_holm", "verdict"} <= set(table)
    with pytest.raises(ValueError, match="missing: egf_3"):
        effect_of(study, "BN", value="egf_3")
