"""Accuracies of the first version: whole, rightly named, and beside ours."""

import itertools

import numpy as np
import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.cells import CELL
from keras_sparseflow.analysis.published.tessera_first_version import (
    beside_published_means,
    load_published_means,
    published_gains,
)
from keras_sparseflow.analysis.published.tessera_tables import load_p_values
from keras_sparseflow.analysis.report.effects import effects
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.means import published_means
from tests.analysis.sources import numbers_of

PAPER = {"dataset": "cifar100", "hidden_layers": 4, "learning_rate": 0.001}
VARIANTS = ("NR", "DA", "L2", "BN", "SC")


def at(variant, optimizer, arm):
    rows = load_published_means().set_index(["variant", "optimizer", "architecture"])
    return tuple(rows.loc[(variant, optimizer, arm), ["accuracy_percent", "std"]])


def test_every_number_that_can_be_read_is_there_and_two_are_missing():
    rows = load_published_means()
    assert len(rows) == 5 * 5 * 2 and not rows.duplicated(["variant", "optimizer", "architecture"]).any()
    assert set(rows["variant"]) == set(VARIANTS)
    assert rows[["dataset", "hidden_layers", "learning_rate"]].drop_duplicates().to_dict("records") == [PAPER]
    missing = rows[rows["accuracy_percent"].isna() | rows["std"].isna()]
    assert missing[["variant", "optimizer", "architecture"]].values.tolist() == [
        ["NR", "Adagrad", "dense"],
        ["NR", "Adagrad", "sparse"],
    ]
    assert rows["accuracy_percent"].dropna().between(1, 40).all() and rows["std"].dropna().between(0, 13).all()


@pytest.mark.parametrize(
    ("cell", "numbers"),
    [
        (("DA", "Adagrad", "dense"), (25.479, 1.175)),
        (("NR", "Adam", "dense"), (15.583, 3.736)),
        (("NR", "Adam", "sparse"), (22.713, 3.209)),
        (("L2", "Adam", "dense"), (19.646, 0.889)),
        (("L2", "Adam", "sparse"), (17.555, 8.751)),
        (("NR", "RMSProp", "dense"), (4.97, 8.083)),
        (("BN", "SGD", "sparse"), (27.515, 1.428)),
        (("SC", "Mom", "sparse"), (25.595, 3.516)),
    ],
)
def test_numbers_stand_where_the_paper_has_them(cell, numbers):
    assert at(*cell) == numbers


def test_no_other_names_of_the_columns_agree_with_the_p_values_but_two_that_the_text_decides():
    rows = load_published_means().pivot(
        index=["variant", "optimizer"], columns="architecture", values="accuracy_percent"
    )
    gains = (rows["sparse"] - rows["dense"]).dropna().to_dict()
    table = load_p_values().query("table == '6a'")
    p_values = table.set_index(["variant", "optimizer"])["p_value"].to_dict()

    def agrees(names, sign):
        for (variant, optimizer), gain in gains.items():
            p_value = p_values[names[VARIANTS.index(variant)], optimizer]
            if (p_value < 0.05 and sign * gain <= 0) or (p_value > 0.95 and sign * gain >= 0):
                return False
        return True

    named = itertools.product(itertools.permutations(table["variant"].unique(), len(VARIANTS)), (1, -1))
    fitting = {(names, sign) for names, sign in named if agrees(names, sign)}
    assert (VARIANTS, 1) in fitting and {sign for _, sign in fitting} == {1}, "dense stands first"
    columns = [{names[place] for names, _ in fitting} for place in range(5)]
    assert columns[0] == columns[1] == {"NR", "DA"} and columns[2] == {"L2"} and columns[4] == {"SC"}
    assert all("BN" in name for name in columns[3])
    # The text: augmentation alone is poor under Adam and raises the accuracy under SGD and momentum.
    assert at("DA", "Adam", "dense") < at("NR", "Adam", "dense")
    assert at("DA", "SGD", "dense") > at("NR", "SGD", "dense") and at("DA", "Mom", "dense") > at("NR", "Mom", "dense")


def test_ours_stand_beside_them_over_all_widths_and_seeds(make_results):
    results = make_results(("adam", "adagrad"), ("BN", "NR", "DA_BN"), widths=(7, 20), **PAPER)
    results.loc[0, "diverged"] = True
    table = beside_published_means(results)
    cells = table[["optimizer", "variant", "arm"]].drop_duplicates().itertuples(index=False, name=None)
    assert sorted(cells) == sorted(
        (optimizer, variant, arm)
        for optimizer, variant in (("adam", "BN"), ("adam", "NR"), ("adagrad", "BN"))
        for arm in ("sparse", "dense")
    ), "DA_BN is not published, and Adagrad's NR cannot be read"
    row = table.query("optimizer == 'adam' and variant == 'BN' and arm == 'dense'").iloc[0]
    runs = results.query("optimizer == 'adam' and variant == 'BN' and arm == 'dense'")["test_accuracy"]
    assert (row["n"], row["mean"], row["std"]) == (6, pytest.approx(runs.mean()), pytest.approx(runs.std()))
    assert (row["published_mean"], row["published_std"]) == (pytest.approx(0.29652), pytest.approx(0.01801))
    lost = table.query("optimizer == 'adam' and variant == 'BN' and arm == 'sparse'").iloc[0]
    assert (lost["n"], lost["diverged"]) == (5, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"dataset": "cifar10"},
        {"hidden_layers": 2},
        {"learning_rate": 0.1},
        {"activation": "swish"},
        {"hidden_layers": "wide resnet of depth 10"},
    ],
)
def test_of_other_cells_nothing_is_published(make_results, other):
    results = make_results(("adam",), ("BN",), widths=(7,), **{**PAPER, **other})
    assert beside_published_means(results).empty
    assert published_means(numbers_of(results)) is None
    assert np.isnan(published_gains(results[list(CELL)])).all()


def test_losses_are_not_published(make_results):
    results = make_results(("adam",), ("BN",), widths=(7,), **PAPER)
    assert beside_published_means(results, "test_loss").empty
    assert np.isnan(published_gains(results[list(CELL)], "test_loss")).all()


def test_a_report_has_the_means_side_by_side_and_their_difference(make_results):
    results = make_results(("adam", "adagrad"), ("BN", "NR"), widths=(7, 20), **PAPER)
    content = published_means(numbers_of(results))
    (table,) = tables_of(content)
    assert [(column.group, column.heading) for column in table.columns] == [
        ("", "cell"), ("sparse", "ours"), ("sparse", "paper"), ("dense", "ours"), ("dense", "paper"),
        ("sparse minus dense", "ours"), ("sparse minus dense", "paper"),
    ]  # fmt: skip
    rows = {row[0].text: row for row in table.rows}
    assert set(rows) == {"adam, BN", "adam, NR", "adagrad, BN"}
    shown = rows["adam, NR"]
    assert shown[2].text == "0.2271 \N{PLUS-MINUS SIGN} 0.0321" and shown[4].text == "0.1558 \N{PLUS-MINUS SIGN} 0.0374"
    assert shown[6].text == "+0.0713" and shown[5].sort == pytest.approx(shown[1].sort - shown[3].sort)
    ours = content.files["published_means"].query("optimizer == 'adam' and variant == 'NR' and arm == 'sparse'")
    assert shown[1].sort == ours["mean"].iloc[0]
    assert "over 6 networks" in table.caption


def test_published_gains_are_the_rings_of_the_first_screen(make_results):
    results = make_results(("adam", "adagrad"), ("BN", "NR"), widths=(7, 20), **PAPER)
    found = effects(numbers_of(results)).set_index("label")["published"]
    assert found["adam, NR"] == pytest.approx(0.0713) and found["adam, BN"] == pytest.approx(0.00361)
    assert np.isnan(found["adagrad, NR"])
    losses = effects(numbers_of(results, value="test_loss"))
    assert losses["published"].isna().all()
    both = pd.concat([results, make_results(("adam",), ("BN",), widths=(7,))])
    assert effects(numbers_of(both))["published"].notna().sum() == 3
