import pytest

from keras_sparseflow.analysis.published import EPOCHS, OPTIMIZERS, load_kendall_tau, load_p_values, published_p_value


def test_every_published_cell_is_there():
    table = load_p_values()
    assert table.columns.tolist() == [
        *("table", "dataset", "hidden_layers", "learning_rate", "axis", "variant", "optimizer", "p_value")
    ]
    assert table.groupby("table").size().to_dict() == {
        **{"3a": 40, "3b": 30, "3c": 30, "4": 21},
        **{"5a": 25, "5b": 20, "5c": 8, "6a": 50, "6b": 30},
    }
    assert table["p_value"].between(0, 1).all()
    assert set(table["optimizer"]) == set(OPTIMIZERS.values())
    assert set(table["dataset"]) == set(EPOCHS)


def test_kendall_table_is_whole():
    table = load_kendall_tau()
    assert len(table) == 3 * 4 * 2 * 2
    egf = table[(table["measure"] == "egf_2") & (table["architecture"] == "sparse") & (table["dataset"] == "cifar100")]
    assert egf.set_index("target")["mean_abs_tau"].to_dict() == {"test_loss": 0.402, "test_accuracy": 0.396}


@pytest.mark.parametrize(
    ("cell", "p_value"),
    [
        (("cifar100", 4, 0.001, "NR", "adam"), 0.0),
        (("cifar100", 4, 0.001, "SC", "sgd"), 0.248),
        (("cifar100", 4, 0.1, "L2_BN", "momentum"), 0.488),
        (("cifar100", 4, 0.1, "BN_L2", "momentum"), 0.488),
        (("cifar10", 4, 0.1, "DA_BN", "rmsprop"), 0.375),
        (("fashion_mnist", 4, 0.001, "DA_L2_SC_BN", "adagrad"), 0.0),
        (("cifar100", 4, 0.1, "DA_SC_BN", "adam", "sigmoid"), 0.005),
        (("cifar100", 4, 0.1, "DA_L2_SC_BN", "sgd", "swish"), 0.027),
    ],
)
def test_published_cells_by_our_names(cell, p_value):
    assert published_p_value(*cell) == p_value


@pytest.mark.parametrize(
    "cell",
    [
        ("digits", 4, 0.001, "NR", "adam"),
        ("cifar100", 2, 0.001, "NR", "adam"),
        ("cifar100", 4, 0.01, "NR", "adam"),
        ("cifar100", 4, 0.1, "NR", "adam"),
        ("cifar100", 4, 0.001, "NR", "lion"),
        ("cifar100", 4, 0.001, "relu", "adam"),
        ("cifar100", 4, 0.1, "DA_BN", "adam", "sigmoid"),
        ("cifar100", 4, 0.001, "DA_SC_BN", "adam", "swish"),
        ("cifar10", 4, 0.001, "NR", "adam", "swish"),
    ],
)
def test_what_the_paper_does_not_have_is_none(cell):
    assert published_p_value(*cell) is None


def test_cells_that_two_tables_print_agree():
    table = load_p_values()
    table = table[table["axis"] == "regularization"]
    cells = table.groupby(["dataset", "hidden_layers", "learning_rate", "variant", "optimizer"])["p_value"]
    assert (cells.nunique() == 1).all()


def test_the_variants_behind_table_3c_are_those_its_relu_column_repeats():
    relu = load_p_values().query("table == '3c' and variant == 'relu'").set_index("optimizer")["p_value"]
    for ours, theirs in OPTIMIZERS.items():
        variant = "DA_SC_BN" if ours in ("adagrad", "adam", "rmsprop") else "DA_L2_SC_BN"
        assert published_p_value("cifar100", 4, 0.1, variant, ours) == relu[theirs]
        assert published_p_value("cifar100", 4, 0.1, variant, ours, "elu") is not None
        other = "DA_SC_BN" if variant != "DA_SC_BN" else "DA_L2_SC_BN"
        assert published_p_value("cifar100", 4, 0.1, other, ours) != relu[theirs]


def test_a_loaded_table_may_be_changed_without_harm():
    table = load_p_values()
    table["p_value"] = 0.5
    assert load_p_values()["p_value"].nunique() > 1
