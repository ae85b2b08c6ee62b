"""Comparisons: matched pairs, networks over densities, rounds of lottery tickets, and those of other packages."""

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.studies.comparisons import (
    COMPARISONS,
    Comparison,
    Member,
    default_max_width,
    dense_widths,
    matched_pair,
)
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from tests.plugins.packages import registered

SIZE = DataSize((8, 8, 1), 10, 1000, 100)
IMAGE = {"model": "vgg", "depth": 11}


def over_densities(*grids, **values):
    base = {"width": 8, **values.pop("base", {})}
    return Study(
        **{"name": "s", "title": "", "comparison": "densities", "grids": grids, "base": base, "seeds": (0,), **values}
    )


# --- matched pairs ----------------------------------------------------------------------------------------------


def test_the_dense_arm_of_perceptrons_is_an_ordinary_dense_network():
    sparse, dense = matched_pair(68, 20 / 68, variant="BN", hidden_layers=2, seed=3)
    assert dense.spec == RunSpec.of(width=20, variant="BN", hidden_layers=2, seed=3)
    assert sparse.spec == RunSpec.of(width=68, matched_fraction=20 / 68, variant="BN", hidden_layers=2, seed=3)
    assert sparse.labels["arm"] == "sparse" and dense.labels["arm"] == "dense"
    assert all((arm.labels["dense_width"], arm.labels["max_width"]) == (20, 68) for arm in (sparse, dense))


@pytest.mark.parametrize("fan_in", ["sparse", "active"])
def test_other_initial_values_than_its_own_make_it_a_fraction_of_the_wide_network(fan_in):
    _, dense = matched_pair(68, 20 / 68, init_fan_in=fan_in)
    assert dense.spec == RunSpec.of(width=68, width_fraction=20 / 68, init_fan_in=fan_in)


def test_the_dense_arm_of_image_networks_has_a_fraction_of_the_channels():
    sparse, dense = matched_pair(2, 0.3, model="resnet", depth=8)
    assert sparse.spec == RunSpec.of(model="resnet", depth=8, width=2, matched_fraction=0.3)
    assert dense.spec == RunSpec.of(model="resnet", depth=8, width=2, width_fraction=0.3)
    assert dense.labels["dense_width"] == 0.6 and dense.spec.run_id.startswith("sgd-NR-resnet_8_2x0.3-dense-")


@pytest.mark.parametrize("values", [{}, {"init_fan_in": "active"}, {"model": "vgg", "depth": 11, "variant": "DA_L2"}])
def test_arms_are_alike_in_every_column_but_the_arm(values):
    """A report finds the two arms of a pair by what they share."""
    columns = [{**arm.spec.given, **arm.labels} for arm in matched_pair(10, 0.3, method="rigl", score="snip", **values)]
    columns = [{name: value for name, value in each.items() if name not in ("arm", "density")} for each in columns]
    assert columns[0] == columns[1]


def test_pairs_stand_next_to_each_other_with_every_width_and_seed():
    study = Study(name="s", title="", grids=[{"variant": ("NR", "L2")}], seeds=(0, 1), base={"epochs": 2})
    members = study.members(SIZE)
    assert len(members) == 2 * 5 * 2 * 2 == len(study.specs(SIZE))
    assert [member.labels["arm"] for member in members] == ["sparse", "dense"] * 20
    for sparse, dense in zip(members[::2], members[1::2], strict=True):
        width, fraction = sparse.spec.model.width, sparse.spec.sparsity.matched_fraction
        values = {"variant": sparse.spec.training.variant, "seed": sparse.spec.seed, "epochs": 2}
        assert (sparse, dense) == matched_pair(width, fraction, **values)
    assert {member.labels["dense_width"] for member in members} == {7, 20, 34, 48, 61}


@pytest.mark.parametrize(
    ("values", "width"),
    [({}, 68), ({"max_width": 20}, 20), ({"base": IMAGE}, 10), ({"base": IMAGE, "max_width": 2}, 2)],
)
def test_the_maximum_width_is_that_of_the_study_else_the_default(values, width):
    study = Study(name="s", title="", width_fractions=(0.5, 1.0), seeds=(0,), **values)
    sparse = [member for member in study.members(SIZE) if member.labels["arm"] == "sparse"]
    assert {(member.spec.model.width, member.labels["max_width"]) for member in sparse} == {(width, width)}
    assert [member.labels["dense_width"] for member in sparse] == [width / 2, width]
    choices = {row["choice"]: row["value"] for row in study.choices()}
    assert choices["max_width"] == ("inputs + 4" if not values else str(width))


def test_two_pairs_of_one_dense_network_train_it_once():
    """The masks of the sparse arms differ, and the dense network has none."""
    study = Study(name="s", title="", grids=[{"score": ("random", "magnitude")}], seeds=(0,), width_fractions=(0.5,))
    members, specs = study.members(SIZE), study.specs(SIZE)
    assert len(members) == 4 and len(specs) == 3
    first, second = (member for member in members if member.labels["arm"] == "dense")
    assert first.spec == second.spec and (first.labels["score"], second.labels["score"]) == ("random", "magnitude")


def test_published_widths():
    assert dense_widths(default_max_width(3072)) == [308, 923, 1538, 2153, 2768]
    assert dense_widths(default_max_width(784)) == [79, 236, 394, 552, 709]


@pytest.mark.parametrize("fractions", [(0.5, 90), (0,), (0.5, 0.5)])
def test_bad_fractions_are_refused(fractions):
    with pytest.raises(ValueError, match="`fractions`.*received"):
        dense_widths(100, fractions)


# --- over densities ---------------------------------------------------------------------------------------------


def test_densities_methods_and_seeds_are_crossed():
    grid = {"density": (0.1, 0.5), "method": ("static", "magnitude"), "variant": ("BN",)}
    members = over_densities(grid, seeds=(3, 4), base={"epochs": 2}).members(SIZE)
    found = [(m.spec.sparsity.density, m.spec.sparsity.method, m.spec.seed) for m in members]
    assert found == [(d, method, seed) for d in (0.1, 0.5) for method in ("static", "magnitude") for seed in (3, 4)]
    assert {(m.spec.model.width, m.spec.training.variant, m.spec.training.epochs) for m in members} == {(8, "BN", 2)}
    assert all(not member.labels for member in members)


def test_a_dense_network_is_trained_once_for_all_methods():
    specs = over_densities({"density": (0.1, 1.0), "method": ("static", "magnitude", "set")}).specs(SIZE)
    assert [spec.sparsity.density for spec in specs].count(1.0) == 1 and len(specs) == 4


def test_the_width_is_that_of_the_base_else_the_default():
    assert over_densities({}).specs(SIZE)[0].model.width == 8
    assert Study(name="s", title="", comparison="densities").specs(SIZE)[0].model.width == 68
    image = Study(name="s", title="", comparison="densities", base=IMAGE)
    assert image.specs(SIZE)[0].model.width == 10


# --- lottery tickets --------------------------------------------------------------------------------------------


def tickets(**values):
    return over_densities({"distribution": ("global",)}, **{"rounds": 3, "base": {"rewind_step": 5}, **values})


def test_rounds_of_tickets_stand_in_order_and_each_begins_with_a_run_of_the_study():
    specs = tickets(seeds=(0, 1)).specs(SIZE)
    assert [(spec.seed, spec.sparsity.density) for spec in specs] == [
        (seed, density) for seed in (0, 1) for density in (1.0, 0.8, 0.64, 0.512)
    ]
    assert specs[3].sparsity.tickets.earlier_densities == (1.0, 0.8, 0.64)
    assert {(spec.sparsity.density == 1, spec.sparsity.distribution) for spec in specs} == {
        (True, None), (False, "global"),
    }  # fmt: skip
    assert {spec.round_before for spec in specs} <= {None, *specs}


def test_rounds_follow_from_their_number_and_the_fraction():
    planned = tickets()
    choices = {row["choice"]: row["value"] for row in planned.choices()}
    assert (choices["rounds"], choices["fraction"], choices["rewind_step"]) == ("3", "0.2", "5")
    assert "density" not in choices and "earlier_densities" not in choices and "method" not in choices
    changed = planned.with_choices({"variant": ("BN",)}, rounds=1)
    assert [row["choice"] for row in changed.overrides()] == ["variant", "rounds"]
    assert tickets(rounds=2, fraction=1 / 3).densities == (1.0, 0.666667, 0.444444)
    with pytest.raises(ValueError, match="`density` follows from other choices in study 's'; received"):
        planned.with_choices({"density": (0.1,)})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rounds": 0}, "`rounds` must be a whole number of at least 1; received 0"),
        ({"rounds": 1.5}, "`rounds` must be a whole number of at least 1; received 1.5"),
        ({"fraction": 1.0}, "`fraction` must be a number above 0 and below 1; received 1.0"),
        ({"fraction": 1e-8}, "`fraction` must give each of 3 rounds a density of its own above 0, .* received 1e-08"),
        ({"grids": [{"density": (0.1,)}]}, "`grids` takes .*; received density"),
        ({"grids": [{"method": ("static",)}]}, "`grids` takes .*; received method"),
        ({"base": {"score": "snip"}}, "`base` takes .*; received score"),
    ],
)
def test_bad_studies_of_tickets_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        tickets(**values)


def test_beside_other_methods_the_densities_of_a_study_are_rounds_and_dense_is_trained_once():
    grid = {"method": ("static", "lottery"), "density": (0.1, 1.0, 0.4), "variant": ("NR", "BN")}
    specs = over_densities(grid).specs(SIZE)
    rounds = [spec for spec in specs if spec.sparsity.tickets is not None]
    assert len(specs) == 10 and len(rounds) == 6 and rounds == specs[4:]
    assert [spec.sparsity.density for spec in rounds] == [1.0, 0.4, 0.1] * 2
    assert rounds[2].sparsity.tickets.earlier_densities == (1.0, 0.4)
    assert {spec.sparsity.density for spec in specs[:4]} == {0.1, 0.4}


def test_tickets_of_several_distributions_begin_with_one_dense_network():
    grid = {"method": ("lottery",), "density": (0.5,), "distribution": ("global", "erk")}
    specs = over_densities(grid, {**grid, "density": (0.25,), "distribution": ("erk",)}).specs(SIZE)
    assert [(spec.sparsity.density, spec.sparsity.distribution) for spec in specs] == [
        (1.0, None), (0.5, "global"), (0.5, "erk"), (0.25, "erk"),
    ]  # fmt: skip
    assert specs[3].round_before == specs[2] and {spec.first_round for spec in specs} == {specs[0]}


def test_tickets_are_found_without_tweaks_and_trained_with_them():
    grid = {"method": ("lottery",), "density": (0.5, 0.25), "tweaks": ("GSk",)}
    specs = over_densities(grid).specs(SIZE)
    assert [(spec.sparsity.density, spec.training.tweaks) for spec in specs] == [
        (1.0, "none"), (0.5, "none"), (0.5, "GSk"), (0.25, "none"), (0.25, "GSk"),
    ]  # fmt: skip
    assert specs[4].round_before == specs[1] and specs[4].sparsity.tickets.earlier_densities == (1.0, 0.5)


# --- comparisons of other packages ------------------------------------------------------------------------------


def test_a_registered_comparison_makes_the_members_of_a_study(monkeypatch):
    def widths(study, size):
        for values in study.configurations():
            for width in (size.classes, 2 * size.classes):
                yield Member(
                    RunSpec.of(**{**values, "width": width, "seed": study.seeds[0]}), {"size": f"{width} wide"}
                )

    by_width = Comparison(
        help="narrow and wide networks",
        members=widths,
        derived=("width", "density"),
        choices=lambda study: [("first seed", study.seeds[0], "the only one", "ours")],
        fixed_choices=(("biases", "none", "nowhere", "ours"),),
    )
    registered(monkeypatch, COMPARISONS, widths=by_width)
    study = Study(name="s", title="", comparison="widths", grids=[{"variant": ("NR", "BN")}], base={"epochs": 2})
    members = study.members(SIZE)
    assert [(m.spec.model.width, m.spec.training.variant, m.labels["size"]) for m in members] == [
        (width, variant, f"{width} wide") for variant in ("NR", "BN") for width in (10, 20)
    ]
    choices = {row["choice"]: row["value"] for row in study.choices()}
    assert choices["first seed"] == "0" and choices["biases"] == "none" and choices["epochs"] == "2"
    assert "width" not in choices and "density" not in choices
    with pytest.raises(ValueError, match="`width` follows from other choices in study 's'; received 7"):
        study.with_choices({"width": 7})
    assert study.record(members, "")["comparison"] == "widths"


def test_an_unknown_comparison_lists_the_known_ones_and_the_nearest():
    with pytest.raises(ValueError, match="Unknown `comparison` 'pair'; expected one of pairs, densities.*'pairs'"):
        Study(name="s", title="", comparison="pair")
