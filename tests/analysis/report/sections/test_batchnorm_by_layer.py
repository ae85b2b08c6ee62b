"""Flow by layer with and without BatchNorm: a row for each layer, with the verdicts of the skew."""

import pytest

from keras_sparseflow.analysis.claims.skew import batchnorm_skew
from keras_sparseflow.analysis.report.section import tables_of
from keras_sparseflow.analysis.report.sections.batchnorm_by_layer import batchnorm_by_layer
from keras_sparseflow.studies.presets.preset_table import PRESETS
from tests.analysis.claims.test_skew import LAYERS, flow_of, study
from tests.analysis.sources import numbers_of
from tests.studies.presets.sizes import specs_of, values_of


def content_of(results, **moved):
    flow = flow_of(results, **moved).assign(measure="egf_2", reading="end")
    return batchnorm_by_layer(numbers_of(results, flow=flow)), flow


def test_a_row_has_flow_of_both_arms_their_change_and_the_verdict():
    results = study(optimizer=("adam", "sgd"))
    content, flow = content_of(results, sparse=-0.7, dense=-0.2)
    (table,) = tables_of(content)
    assert [column.heading for column in table.columns] == [
        "optimizer", "layer", "change in sparse", "change in dense", "skew", "sparse moved more?", "why",
    ]  # fmt: skip
    expected = batchnorm_skew(results, flow)
    assert len(table.rows) == len(expected) == 6
    for row, skew in zip(table.rows, expected.to_dict("records"), strict=True):
        assert [row[0].text, row[1].text] == [skew["optimizer"], skew["layer"]]
        assert [row[2].sort, row[3].sort, row[4].sort] == [skew["sparse"], skew["dense"], skew["skew"]]
        assert row[5].text == skew["answer"] == "yes" and row[5].bold and row[6].text == skew["reason"]
    assert content.blocks[0].startswith("Of 4 layers under an optimizer each, BatchNorm moves the gradients of sparse "
                                        "networks farther in 4, those of dense ones in 0")  # fmt: skip
    assert set(content.files["batchnorm_by_layer"]["reading"]) == {"end"}


def test_several_rates_have_a_table_each():
    results = study(learning_rate=(0.1, 0.001))
    content, _ = content_of(results, sparse=-0.7, dense=-0.2)
    assert sorted(table.heading for table in tables_of(content)) == ["learning rate 0.001", "learning rate 0.1"]
    assert all(len(table.rows) == len(LAYERS) for table in tables_of(content))


@pytest.mark.parametrize("changed", [{"variants": ("NR", "L2")}, {"arm": "sparse"}])
def test_a_study_without_such_pairs_has_no_section(changed):
    assert content_of(study(**changed))[0] is None


def test_flow_of_whole_networks_alone_has_no_layers():
    results = study()
    flow = flow_of(results).query("layer == 'total'").assign(measure="egf_2", reading="end")
    assert batchnorm_by_layer(numbers_of(results, flow=flow)) is None
    assert batchnorm_by_layer(numbers_of(results)) is None


def test_the_preset_asks_it_of_pairs_with_and_without_batchnorm_under_every_optimizer():
    specs = specs_of("bn_skew")
    assert values_of(specs, "variant") == {("NR",), ("BN",)}
    assert {name for (name,) in values_of(specs, "optimizer")} == {"adam", "rmsprop", "adagrad", "sgd", "momentum"}
    assert values_of(specs, "image_size", "dataset") == {(8, "cifar10")} and len(specs) == 300
    assert "BatchNorm" in PRESETS.get("bn_skew").title
