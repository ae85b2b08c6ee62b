"""The tables and figures of "Keep the Gradients Flowing" as studies: every cell of them, and no other."""

import math

import pytest

from keras_sparseflow.analysis.published.tessera_tables import load_p_values
from keras_sparseflow.studies.presets.preset_table import GROUPS, PRESETS, preset_names, studies_of
from keras_sparseflow.studies.presets.tessera import FIGURES, TABLES
from tests.studies.presets.sizes import specs_of, values_of

PAPER_OPTIMIZERS = {"adagrad": "Adagrad", "adam": "Adam", "rmsprop": "RMSProp", "sgd": "SGD", "momentum": "Mom"}
EPOCHS = {"fashion_mnist": 500, "cifar10": 1000, "cifar100": 1000}


def published(table):
    rows = load_p_values()
    return rows[rows["table"] == table.removeprefix("table_")]


def column(table, variant):
    """The p-values of a column of a published table, by optimizer."""
    rows = published(table)
    return dict(rows.loc[rows["variant"] == variant, ["optimizer", "p_value"]].itertuples(index=False))


def test_every_table_and_figure_of_multilayer_perceptrons_has_a_command():
    tables = {f"table_{name}" for name in ("1", "3a", "3b", "3c", "4", "5a", "5b", "5c", "6a", "6b")}
    figures = {f"figure_{number}" for number in (2, 3, *range(8, 14), *range(15, 24))}
    assert tables | figures <= set(preset_names())
    assert all(study.reproduces and study.title for name in tables | figures for study in studies_of(name))


@pytest.mark.parametrize("name", [*TABLES, *FIGURES])
def test_a_table_or_figure_has_the_papers_size(name):
    specs = specs_of(name)
    ((dataset, *sizes),) = values_of(specs, "dataset", "epochs", "batch_size", "image_size", "train_size")
    assert sizes == [EPOCHS[dataset], 128, None, None] and values_of(specs, "seed") == {(0,), (1,), (2,)}
    dense, wide = (
        ([79, 236, 394, 552, 709], 788) if dataset == "fashion_mnist" else ([308, 923, 1538, 2153, 2768], 3076)
    )
    assert sorted({spec.model.width for spec in specs if spec.sparsity.is_dense}) == dense
    fractions = {(wide, width / wide) for width in dense}
    assert values_of([spec for spec in specs if not spec.sparsity.is_dense], "width", "matched_fraction") == fractions


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_published_cells_and_no_others(name):
    rows, specs = published(name), specs_of(name)
    (axis,) = set(rows["axis"])
    cells = values_of(specs, "activation" if axis == "activation" else "variant", "optimizer")
    assert {(column, PAPER_OPTIMIZERS[row]) for column, row in cells} == set(
        zip(rows["variant"], rows["optimizer"], strict=True)
    )
    fields = ("learning_rate", "dataset", "hidden_layers")
    assert values_of(specs, *fields) == set(rows[[*fields]].itertuples(index=False, name=None))
    assert values_of(specs, "hidden_layers") == {(4,)} and len(specs) == 30 * len(rows)


def test_the_regularization_of_table_3c_is_the_one_whose_p_values_it_repeats():
    variants = values_of(specs_of("table_3c"), "optimizer", "variant")
    assert len(variants) == 5
    relu = column("table_3c", "relu")
    for optimizer, variant in variants:
        row = PAPER_OPTIMIZERS[optimizer]
        assert column("table_3b", variant)[row] == relu[row]


NAMED = {
    **dict.fromkeys(("adagrad", "adam", "rmsprop"), "DA_SC_BN"),
    **dict.fromkeys(("sgd", "momentum"), "DA_L2_SC_BN"),
}
"""The regularization of the study of activations on CIFAR-100, as the paper's first version names it in 4.1."""


@pytest.mark.parametrize("name", ["table_3c", "table_6b", "figure_3", "figure_20", "figure_22"])
def test_activations_on_cifar100_have_the_regularization_that_the_first_version_names(name):
    assert values_of(specs_of(name), "optimizer", "variant") == set(NAMED.items())
    assert any("DA_L2_SC_BN for SGD" in note for note in PRESETS.get(name).notes)


@pytest.mark.parametrize("name", ["table_6b", "figure_3", "figure_20", "table_1_cifar100"])
def test_what_is_open_in_the_regularization_of_table_6b_is_a_note(name):
    notes = PRESETS.get(name).notes
    assert any("SGD with momentum is meant too is a reading" in note for note in notes)
    assert any("Momentum's would be that of DA_SC_BN" in note for note in notes)
    relu, named, other = (
        column("table_6b", "relu"), column("table_6a", "DA_L2_SC_BN"), column("table_6a", "DA_SC_BN")
    )  # fmt: skip
    assert relu["Mom"] == other["Mom"] != named["Mom"]
    assert relu["SGD"] not in (named["SGD"], other["SGD"])


def test_table_5c_repeats_no_column_that_could_tell_its_regularization():
    relu = column("table_5c", "relu")
    tables = {name: published(name) for name in ("table_5a", "table_5b")}
    columns = [column(name, variant) for name, rows in tables.items() for variant in set(rows["variant"])]
    assert not any(all(math.isclose(values[name], relu[name]) for name in relu) for values in columns)
    assert any("not published" in note for note in PRESETS.get("table_5c").notes)


@pytest.mark.parametrize(
    ("figures", "table"),
    [((8, 9, 10), "table_6a"), ((11, 12, 13, 21), "table_3b"), ((15,), "table_4"), ((16,), "table_5a"),
     ((17,), "table_5b"), ((18,), "table_5c"), ((3, 20), "table_6b"), ((22,), "table_3c")],
)  # fmt: skip
def test_a_figure_is_of_the_very_runs_of_its_table(figures, table):
    for number in figures:
        assert specs_of(f"figure_{number}") == specs_of(table)
        assert any(f"`--study={table}`" in note for note in PRESETS.get(f"figure_{number}").notes)


def test_figures_8_to_13_draw_one_measure_each():
    measures = {number: PRESETS.get(f"figure_{number}").measure for number in range(8, 14)}
    assert measures == {
        8: "egf_1", 9: "grad_norm_1", 10: "grad_norm_2", 11: "egf_1", 12: "grad_norm_1", 13: "grad_norm_2"
    }  # fmt: skip
    assert {study.measure for study in TABLES.values()} == {"egf_2"}


def test_figure_2_is_both_learning_rates_each_with_its_own_variants():
    specs = specs_of("figure_2")
    assert set(specs) == set(specs_of("table_6a")) | set(specs_of("table_3b"))


def test_figure_2_of_the_first_version_has_the_promising_activations_at_the_high_rate():
    specs = specs_of("figure_v1_2")
    soft = {spec for spec in specs if spec.model.activation != "relu"}
    assert set(specs) - soft == set(specs_of("table_3b"))
    assert soft == {spec for spec in specs_of("table_3c") if spec.model.activation in ("swish", "prelu")}
    assert values_of(specs, "learning_rate") == {(0.1,)}
    notes = PRESETS.get("figure_v1_2").notes
    assert any("`figure_22`" in note for note in notes) and any("Swish and PReLU" in note for note in notes)


def test_figure_19_is_three_depths_with_skip_connections_where_there_is_room():
    specs = specs_of("figure_19")
    deep = {variant for (variant,) in values_of(specs_of("table_6a"), "variant")}
    assert values_of(specs, "hidden_layers", "variant") == {
        *((4, variant) for variant in deep),
        *((depth, variant) for depth in (1, 2) for variant in deep if "SC" not in variant),
    }
    assert any("SC" in note for note in PRESETS.get("figure_19").notes)


def test_figure_23_compares_the_two_forms_of_weight_decay_where_they_differ():
    specs = specs_of("figure_23")
    assert values_of(specs, "optimizer", "learning_rate") == {("adam", 0.1), ("adamw", 0.1)}
    assert all("L2" in spec.training.parts for spec in specs)


def test_table_1_is_the_union_of_the_tables_of_each_dataset():
    names = {"fashion_mnist": ["4"], "cifar10": ["5a", "5b", "5c"], "cifar100": ["3a", "3b", "3c", "6a", "6b"]}
    assert [study.name for study in studies_of("table_1")] == [f"table_1_{dataset}" for dataset in names]
    assert GROUPS["table_1"] == tuple(f"table_1_{dataset}" for dataset in names)
    for dataset, tables in names.items():
        specs = [spec for name in tables for spec in specs_of(f"table_{name}")]
        assert set(specs_of(f"table_1_{dataset}")) == set(specs)


def test_an_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Unknown preset 'table_3d'.* Did you mean 'table_3"):
        studies_of("table_3d")


def test_table_1_of_fashion_mnist_says_which_networks_the_first_version_names():
    notes = PRESETS.get("table_1_fashion_mnist").notes
    assert any("450 networks" in note for note in notes)
    specs = specs_of("table_1_fashion_mnist")
    named = [spec for spec in specs if spec.training.variant in ("NR", "BN", "SC", "L2", "DA")]
    assert len(named) == 450 < len(specs)
