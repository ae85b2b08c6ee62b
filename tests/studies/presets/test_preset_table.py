"""Studies that can be named: all of them can be made, and those of ours have the sizes that they are to have."""

import pytest

from keras_sparseflow.studies.presets.preset_table import PRESETS, listed_presets, preset_names, studies_of
from keras_sparseflow.studies.size.cost import cost
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES
from tests.plugins.packages import install
from tests.studies.presets.sizes import size_of, specs_of, values_of


@pytest.mark.parametrize("name", PRESETS.names())
def test_a_preset_is_named_as_its_study_and_its_networks_are_there_at_their_densities(name):
    """The kernels of each are counted, and none is left without a weight."""
    specs = specs_of(name)
    assert PRESETS.get(name).name == name and len({spec.run_id for spec in specs}) == len(specs) > 0
    first = [spec for spec in specs if spec.seed == 0]
    assert cost(first, size_of(name)).networks * len(PRESETS.get(name).seeds) == len(specs)


def test_the_demo_is_120_networks():
    """Two optimizers x two variants x five widths x three seeds x two arms, four hidden layers."""
    specs = specs_of("demo")
    assert len(specs) == 120
    assert values_of(specs, "optimizer", "variant") == {(o, v) for o in ("sgd", "adam") for v in ("NR", "BN")}
    assert values_of(specs, "hidden_layers", "dataset") == {(4, "digits")}
    assert {spec.model.width for spec in specs if spec.sparsity.is_dense} == {7, 20, 34, 48, 61}
    assert {spec.model.width for spec in specs if not spec.sparsity.is_dense} == {68}


def masks(specs):
    return values_of([spec for spec in specs if not spec.sparsity.is_dense], "method", "score", "distribution")


def test_the_preset_of_masks_has_every_method_and_score_at_the_same_densities():
    specs = specs_of("masks")
    assert {method for method, _, _ in masks(specs)} == set(MASK_SCHEDULES.builtins)
    assert {score for _, score, _ in masks(specs)} >= {"random", "magnitude", "snip", "grasp", "synflow"}
    tickets = [spec for spec in specs if spec.sparsity.tickets is not None]
    assert [spec.sparsity.density for spec in tickets[:7]] == [1.0, 0.7, 0.4, 0.2, 0.1, 0.05, 0.02]
    assert len(masks(specs)) == 10 and len(tickets) == 7 * 3 and len(specs) - len(tickets) == 9 * 4 * 3


def test_that_of_perceptrons_crosses_every_mask_with_optimizers_and_variants():
    specs = specs_of("masks_mlp")
    assert masks(specs) == masks(specs_of("masks"))
    densities = [spec.sparsity.density for spec in specs]
    assert densities.count(0.02) == len(masks(specs)) * 2 * 2 * 3, "optimizers, variants, seeds"
    assert densities.count(1) == 2 * 2 * 3, "a dense network is trained once"
    assert values_of(specs, "dataset", "model", "hidden_layers", "width") == {("fashion_mnist", "mlp", 4, 788)}


def test_the_lottery_is_fifteen_rounds_of_a_fifth():
    specs = specs_of("lottery")
    assert len(specs) == 16 * 3 and specs[15].sparsity.density == pytest.approx(0.8**15, rel=1e-5)
    assert values_of(specs, "method", "model", "depth", "width") == {("lottery", "wide_resnet", 16, 2)}


def test_an_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Unknown preset 'table_3d'.* Did you mean 'table_3"):
        studies_of("table_3d")
    assert {"single", "single_density", "table_1"} <= set(preset_names())


def test_presets_that_can_not_be_had_are_named_and_the_rest_is_listed(monkeypatch, capsys):
    install(monkeypatch, PRESETS, "studies 0.4", mine="no_such_module:STUDY", table_4="json:dumps", odd="json:dumps")
    found = listed_presets()
    assert [study.name for study in found] == [name for name in PRESETS.builtins if name != "table_4"]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 and all(line.startswith("Left out: The preset ") for line in said)
    for part in (
        "'mine' (studies 0.4, no_such_module:STUDY) is broken: ModuleNotFoundError",
        "'table_4' can't be used: built in and studies 0.4",
        "'odd' (studies 0.4, json:dumps) is broken: expected a Study; received function",
    ):
        assert any(part in line for line in said), part
