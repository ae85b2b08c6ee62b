"""Names in specs are looked up in tables, and what other packages add is part of a run's spec."""

import pytest

from keras_sparseflow.data import DataSize
from keras_sparseflow.data.datasets.loading import DATASETS
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.masks.score_table import SCORES
from keras_sparseflow.records.provenance import plugin_versions
from keras_sparseflow.studies.run.mask_changes import mask_callbacks
from keras_sparseflow.studies.spec.combined import PARTS
from keras_sparseflow.studies.spec.fields import load_plugins, named_things
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES, OPTIMIZERS
from keras_sparseflow.studies.spec.run_spec import RunSpec
from keras_sparseflow.studies.study import Study
from tests.plugins.packages import install, registered


def sparse(**values):
    return RunSpec.of(**{"width": 8, "density": 0.5, **values})


def test_every_name_of_a_spec_is_found_in_its_table():
    named = named_things(sparse(variant="L2_BN", tweaks="LS", method="rigl", flow_measures=("egf_1", "egf_2")).values)
    assert {(table.group.rpartition(".")[2], name) for table, name in named} == {
        ("dataset", "digits"), ("variant", "L2"), ("variant", "BN"), ("activation", "relu"), ("optimizer", "sgd"),
        ("schedule", "constant"), ("loss", "cross_entropy"), ("score", "random"), ("flow_measure", "egf_1"),
        ("flow_measure", "egf_2"), ("mask_schedule", "rigl"), ("distribution", "uniform"), ("tweak", "LS"),
        ("model", "mlp"),
    }  # fmt: skip
    assert all(name in table for table, name in named)
    assert DATASETS not in [table for table, _ in named_things(sparse(dataset="cifar10").values)]
    assert SCORES not in [table for table, _ in named_things(sparse(density=1.0).values)], "it names none"


def test_packages_and_their_versions_are_part_of_a_spec(monkeypatch):
    plain = sparse(variant="BN", score="magnitude")
    assert plain.plugins == ()
    ids = []
    for version in ("1.2", "1.3"):
        install(monkeypatch, SCORES, f"my-masks {version}", mine="my_masks:score")
        install(monkeypatch, MEASURES, f"my-masks {version}", flow="my_masks:flow")
        install(monkeypatch, PARTS, "regular 0.1", ORTH="regular:ORTH")
        assert sparse(variant="BN", score="magnitude").run_id == plain.run_id, "of those that use none of them"
        mine = sparse(variant="ORTH_BN", score="mine", flow_measures=("egf_2", "flow"))
        assert mine.plugins == (f"my-masks {version}", "regular 0.1") and mine.training.variant == "BN_ORTH"
        ids.append(mine.run_id)
    assert len(set(ids)) == 2, "another version makes another run"
    assert plugin_versions(mine.plugins) == {"my-masks": "1.3", "regular": "0.1"}
    study = Study(name="s", title="t", grids=[{"variant": ("ORTH",)}], seeds=(0,), width_fractions=(0.5,))
    members = study.members(DataSize((8, 8, 1), 10, 100, 10))
    assert study.record(members, "python x.py")["versions"]["regular"] == "0.1"


def test_what_is_registered_here_is_named_by_module_name_and_code(monkeypatch):
    ids = []
    for mine in (lambda problem: None, lambda problem: [0], lambda problem: None):
        with monkeypatch.context() as once:
            registered(once, SCORES, mine=mine)
            (plugin,) = sparse(score="mine").plugins
            name, code = plugin.split()
            assert name == "tests.plugins.packages.mine" and plugin_versions([plugin]) == {name: code}
            ids.append(sparse(score="mine").run_id)
    assert ids[0] == ids[2] != ids[1], "other code makes another run"


def test_a_broken_plugin_is_said_before_training_and_only_where_it_is_named(monkeypatch):
    install(monkeypatch, OPTIMIZERS, "fast 0.3", fast="no_such_module:Fast")
    load_plugins([sparse(), sparse(optimizer="adam")])
    with pytest.raises(
        ValueError, match=r"'fast' \(fast 0\.3, no_such_module:Fast\) is broken: ModuleNotFoundError: No"
    ):
        load_plugins([sparse(), sparse(optimizer="fast")])


def test_a_name_that_is_taken_twice_is_refused_as_a_spec_is_made(monkeypatch):
    install(monkeypatch, OPTIMIZERS, "fast 0.3", sgd="fast:SGD")
    for values in ({"optimizer": "sgd"}, {}):
        with pytest.raises(
            ValueError, match=r"built in \(keras\.optimizers:SGD\) and fast 0\.3 \(fast:SGD\) have one name"
        ):
            sparse(**values)
    assert sparse(optimizer="adam").plugins == ()
    install(monkeypatch, PARTS, "regular 0.1", BN="regular:BN")
    with pytest.raises(ValueError, match=r"built in and regular 0\.1 \(regular:BN\) have one name"):
        sparse(optimizer="adam", variant="L2_BN")


def test_mask_schedules_of_other_packages_have_the_fields_of_moving_masks(monkeypatch, data):
    seen = []

    def mine(spec, steps):
        seen.append((spec, steps))
        return ["a callback"]

    registered(monkeypatch, MASK_SCHEDULES, mine=mine)
    for sparsity in ({}, {"matched_fraction": 0.5}):
        spec = sparse(method="mine", move_fraction=0.2, prune_from=0.3, epochs=2, batch_size=16, **sparsity)
        assert spec.sparsity.moving.move_fraction == 0.2 and spec.sparsity.pruning is None
        assert "mine" in spec.run_id and not spec.sparsity.moves, "no built-in method moves its masks"
        assert mask_callbacks(spec, data) == ["a callback"] and seen.pop() == (spec, 2 * 3)
    assert sparse(method="mine", density=1.0) == sparse(density=1.0)
