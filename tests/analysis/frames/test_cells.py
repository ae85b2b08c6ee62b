import pandas as pd
import pytest

from keras_sparseflow.analysis.frames.cells import CELL, arrange, cell_columns, columns_in_order, describe, spec_columns


def test_cell_is_the_six_columns_when_nothing_else_varies(make_results):
    assert cell_columns(make_results()) == list(CELL)


def test_an_option_that_varies_within_a_cell_becomes_part_of_it(make_results):
    results = pd.concat([make_results(l2=1e-4), make_results(l2=1e-2)])
    assert cell_columns(results) == [*CELL, "l2"]


def test_an_option_that_varies_with_the_cell_alone_does_not(make_results):
    results = pd.concat([make_results(variants=("NR",), l2=0.0), make_results(variants=("L2",), l2=1e-4)])
    assert cell_columns(results) == list(CELL)


def test_an_option_that_holds_lists_is_compared_by_content(make_results):
    results = make_results()
    results["measures"] = [["egf_2"] for _ in range(len(results))]
    assert cell_columns(results) == list(CELL)
    results.at[0, "measures"] = ["egf_1"]
    assert cell_columns(results) == [*CELL, "measures"]


def test_results_and_ids_are_no_part_of_the_spec(make_results):
    columns = spec_columns(make_results())
    assert {"arm", "seed", "dense_width", "epochs"} <= set(columns)
    assert not {"run_id", "test_accuracy", "egf_2", "seconds", "active_weights"} & set(columns)


def test_named_spec_columns_decide_where_they_are_given(make_results):
    results = make_results().assign(my_measure=range(120))
    assert cell_columns(results) == [*CELL, "my_measure"]
    results.attrs["spec_columns"] = [column for column in spec_columns(results) if column != "my_measure"]
    assert cell_columns(results) == list(CELL)


def test_missing_columns_are_named(make_results):
    with pytest.raises(ValueError, match="`results` must have .* missing: variant, optimizer; received"):
        cell_columns(make_results().drop(columns=["variant", "optimizer"]))


def test_rows_and_columns_stand_in_the_papers_order(make_results):
    results = make_results(
        optimizers=("sgd", "lion", "momentum", "adagrad"), variants=("DA_L2_SC_BN", "BN", "Zzz", "NR"), widths=(7,)
    )
    placed = arrange(results)
    assert list(placed["row"].unique()) == ["adagrad", "sgd", "momentum", "lion"]
    assert list(placed["column"].unique()) == ["NR", "BN", "DA_L2_SC_BN", "Zzz"]
    assert list(placed["table"].unique()) == ["digits, 2 hidden layers, learning rate 0.001, relu"]


def test_columns_keep_their_order_where_the_first_row_has_gaps(make_results):
    results = make_results(widths=(7,), variants=("NR", "BN"))
    results = results[~((results["optimizer"] == "adam") & (results["variant"] == "NR"))]
    assert columns_in_order(arrange(results)) == ["NR", "BN"]


def test_activations_become_the_columns_when_they_are_what_varies(make_results):
    results = pd.concat([make_results(variants=("BN",), activation=name) for name in ("swish", "relu")])
    placed = arrange(results)
    assert placed["table"].unique().tolist() == ["digits, 2 hidden layers, learning rate 0.001"]
    assert placed["row"].unique().tolist() == ["adam, BN", "sgd, BN"]
    assert placed["column"].unique().tolist() == ["relu", "swish"]


def test_activations_make_tables_when_variants_vary_too(make_results):
    results = pd.concat([make_results(activation=name) for name in ("swish", "relu")])
    assert len(arrange(results)["table"].unique()) == 2


def test_a_varying_option_shows_in_the_table_label(make_results):
    placed = arrange(pd.concat([make_results(epochs=30), make_results(epochs=60)]))
    assert placed["table"].unique().tolist() == [
        "digits, 2 hidden layers, learning rate 0.001, relu, epochs 30",
        "digits, 2 hidden layers, learning rate 0.001, relu, epochs 60",
    ]


def test_arranging_leaves_its_argument_alone(make_results):
    results = make_results()
    before = results.copy()
    arrange(results)
    pd.testing.assert_frame_equal(results, before)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("hidden_layers", 1, "1 hidden layer"),
        ("hidden_layers", 4, "4 hidden layers"),
        ("learning_rate", 0.1, "learning rate 0.1"),
        ("dataset", "cifar10", "cifar10"),
        ("batch_size", 64, "batch_size 64"),
    ],
)
def test_coordinates_in_words(column, value, words):
    assert describe(column, value) == words
