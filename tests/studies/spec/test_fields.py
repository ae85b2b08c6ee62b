"""Names in specs are looked up in tables, and what other packages add is part of a run's spec."""

import pytest
from keras_sparseflow.studies.spec.density_spec import DensitySpec

from keras_sparseflow.data.datasets.loading import DATASETS
from keras_sparseflow.flow.measure_table import MEASURES
from keras_sparseflow.masks.score_table import SCORES
from keras_sparseflow.records import write_json
from keras_sparseflow.studies.record import plugin_versions
from keras_sparseflow.studies.run.mask_changes import mask_callbacks
from keras_sparseflow.studies.spec.combined import PARTS, TWEAKS, Part, canonical_variant, parse_tweaks
from keras_sparseflow.studies.spec.fields import load_plugins, named_things
from keras_sparseflow.studies.spec.name_tables import MASK_SCHEDULES, OPTIMIZERS
from keras_sparseflow.studies.spec.saved import saved_spec
from keras_sparseflow.studies.study import Study
from tests.plugins.packages import install, registered


def density_spec(**values):
    return DensitySpec(**{"model": "mlp", "depth": 2, "width": 8, "epochs": 2, "batch_size": 16, **values})


def test_every_name_of_a_spec_is_found_in_its_table():
    named = named_things(density_spec(variant="L2_BN", tweaks="LS", method="rigl", flow_measures=("egf_1", "egf_2")))
    assert {(table.group.rpartition(".")[2], name) for table, name in named} == {
        ("dataset", "digits"), ("variant", "L2"), ("variant", "BN"), ("activation", "relu"), ("optimizer", "sgd"),
        ("schedule", "constant"), ("loss", "cross_entropy"), ("score", "random"), ("flow_measure", "egf_1"),
        ("flow_measure", "egf_2"), ("mask_schedule", "rigl"), ("distribution", "uniform"), ("tweak", "LS"),
        ("model", "mlp"),
    }  # fmt: skip
    assert all(name in table for table, name in named)
    assert DATASETS not in [table for table, _ in named_things(density_spec(dataset="cifar10"))]


def test_packages_and_their_versions_are_part_of_a_spec(monkeypatch, spec):
    plain = spec(variant="BN", score="magnitude")
    assert plain.plugins == ()
    ids = []
    for version in ("1.2", "1.3"):
        install(monkeypatch, SCORES, f"my-masks {version}", mine="my_masks:score")
        install(monkeypatch, MEASURES, f"my-masks {version}", flow="my_masks:flow")
        install(monkeypatch, PARTS, "regular 0.1", ORTH="regular:ORTH")
        assert spec(variant="BN", score="magnitude").run_id == plain.run_id, "of those that use none of them"
        mine = spec(variant="ORTH_BN", score="mine", flow_measures=("egf_2", "flow"))
        assert mine.plugins == (f"my-masks {version}", "regular 0.1") and mine.variant == "BN_ORTH"
        ids.append(mine.run_id)
    assert len(set(ids)) == 2, "another version makes another run"
    assert plugin_versions(mine.plugins) == {"my-masks": "1.3", "regular": "0.1"}
    study = Study(name="s", title="t", grids=[{"variant": ("ORTH",)}], seeds=(0,), width_fractions=(0.5,))
    assert study.record(study.specs(64, 10), "python x.py")["versions"]["regular"] == "0.1"


def test_what_is_registered_here_is_named_by_module_name_and_code(monkeypatch, spec):
    ids = []
    for mine in (lambda problem: None, lambda problem: [0], lambda problem: None):
        with monkeypatch.context() as once:
            registered(once, SCORES, mine=mine)
            (plugin,) = spec(score="mine").plugins
            name, code = plugin.split()
            assert name == "tests.plugins.packages.mine" and plugin_versions([plugin]) == {name: code}
            ids.append(spec(score="mine").run_id)
    assert ids[0] == ids[2] != ids[1], "other code makes another run"


def test_a_saved_spec_of_another_version_is_refused(monkeypatch, tmp_path, spec):
    install(monkeypatch, SCORES, "my-masks 1.2", mine="my_masks:score")
    file = tmp_path / "spec.json"
    mine = spec(score="mine")
    write_json(file, {"spec": mine.to_dict(), "plugins": list(mine.plugins)})
    assert saved_spec(file, type(mine)) == mine
    install(monkeypatch, SCORES, "my-masks 2.0", mine="my_masks:score")
    with pytest.raises(ValueError, match=r"was written with the plugins my-masks 1\.2; here they are my-masks 2\.0"):
        saved_spec(file, type(mine))
    write_json(file, {"spec": spec().to_dict()})  # as written before there were plugins
    assert saved_spec(file, type(mine)) == spec()


def test_a_broken_plugin_is_said_before_training_and_only_where_it_is_named(monkeypatch, spec):
    install(monkeypatch, OPTIMIZERS, "fast 0.3", fast="no_such_module:Fast")
    load_plugins([spec(), spec(optimizer="adam")])
    with pytest.raises(ValueError, match=r"'fast' \(fast 0\.3, no_such_module:Fast\) is broken: there is no module"):
        load_plugins([spec(), spec(optimizer="fast")])


def test_a_name_that_is_taken_twice_is_refused_as_a_spec_is_made(monkeypatch, spec):
    install(monkeypatch, OPTIMIZERS, "fast 0.3", sgd="fast:SGD")
    with pytest.raises(
        ValueError, match=r"built in \(keras\.optimizers:SGD\) and fast 0\.3 \(fast:SGD\) have one name"
    ):
        spec(optimizer="sgd")
    assert spec(optimizer="adam").plugins == ()
    install(monkeypatch, PARTS, "regular 0.1", BN="regular:BN")
    with pytest.raises(ValueError, match=r"built in and regular 0\.1 \(regular:BN\) have one name"):
        spec(optimizer="adam", variant="L2_BN")


def test_parts_of_other_packages_stand_behind_the_built_in_ones(monkeypatch):
    registered(monkeypatch, PARTS, B2=Part(help="b"), A1=Part(help="a"))
    registered(monkeypatch, TWEAKS, X=Part(help="x"))
    assert canonical_variant("B2_A1_BN_DA") == "DA_BN_A1_B2"
    assert parse_tweaks("tost") == {"GSk", "GSw", "LRsI", "LS"} == parse_tweaks("tost_X"[:4])
    assert density_spec(tweaks="X_LS_GSk_GSw_LRsI").tweaks == "GSk_GSw_LRsI_LS_X"
    with pytest.raises(ValueError, match="Unknown variant part 'bn'.*A1, B2.*Did you mean 'BN'"):
        canonical_variant("bn")
    with pytest.raises(ValueError, match="must match"):
        PARTS.register("my_part", Part(help="its name would be two"))


def test_mask_schedules_of_other_packages_are_given_the_spec_and_the_steps(monkeypatch, data):
    seen = []

    def mine(spec, steps):
        seen.append((spec, steps))
        return ["a callback"]

    registered(monkeypatch, MASK_SCHEDULES, mine=mine)
    spec = density_spec(method="mine", move_fraction=0.2, prune_from=0.3, density=0.5)
    assert (spec.move_fraction, spec.prune_from) == (0.2, 0.5), "it may ask how masks move, not when they are pruned"
    assert "mine" in spec.run_id and not spec.prunes
    assert mask_callbacks(spec, data) == ["a callback"] and seen == [(spec, 2 * 3)]
    assert density_spec(method="mine", density=1.0).method == "static"
