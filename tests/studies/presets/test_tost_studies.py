"""The tables and figures of "Training Your Sparse Neural Network Better with Any Mask" as studies."""

import pytest

from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.presets.tost_studies import TOST
from tests.studies.presets.sizes import specs_of, values_of

SINGLY = ("none", "GSk", "GSw", "LRsI", "LS", "tost")


def test_every_table_and_figure_of_measurements_has_a_preset():
    assert set(TOST) <= set(PRESETS.names())
    published = {study.reproduces for study in TOST.values()}
    assert {*(f"ToST, Table {n}" for n in range(1, 6)), *(f"ToST, Figure {n}" for n in (2, *range(6, 11)))} <= published


@pytest.mark.parametrize(
    ("name", "network", "tweaks", "densities", "networks"),
    [
        ("tost_2_cifar100_resnet_32", ("resnet", 32, 2), {"none", "tost"}, {0.1, 0.05, 0.02}, 135),
        ("tost_3", ("resnet", 50, 1), {"none", "tost"}, {0.15, 0.1, 0.05}, 72),
        ("tost_4", ("resnet", 18, 1), {"none", "GSk", "GSw", "LRsI", "LS", "tost"}, {0.25, 0.2, 0.15, 0.1, 0.05}, 117),
        ("tost_5", ("resnet", 18, 1), {"none", "GSk", "GSw"}, {1.0, 0.8, 0.25, 0.05}, 66),
        ("tost_figure_7_cifar10_mobilenet", ("mobilenet", 28, 1), {"none", "tost"}, None, 75),
    ],
)
def test_presets_are_of_the_published_networks_recipe_and_masks(name, network, tweaks, densities, networks):
    specs = specs_of(name)
    assert len(specs) == networks and values_of(specs, "model", "depth", "width") == {network}
    recipe = values_of(specs, "epochs", "batch_size", "schedule", "l2", "optimizer", "learning_rate")
    assert recipe == {(180, 128, "step", 2e-4, "momentum", 0.1)}
    assert values_of(specs, "tweaks") == {(tweak,) for tweak in tweaks}
    tweaked = {spec.sparsity.density for spec in specs if spec.training.tweaks != "none"}
    assert densities is None or tweaked == densities
    assert {spec.round_before for spec in specs} <= {None, *specs}, "each round begins with a run of the study"
    falls = [s.sparsity.density / s.round_before.sparsity.density for s in specs if s.round_before]
    assert falls and min(falls) > 0.72, "a round removes about a fifth"


def test_ghosts_fade_in_one_study_of_figure_6_and_stay_in_the_other():
    faded, kept = (specs_of(f"tost_figure_6_{name}") for name in ("faded", "kept"))
    for specs, decay in ((faded, "cosine"), (kept, "none")):
        assert values_of(specs, "ghost_decay") == {(decay,), (None,)}
    plain = [{spec.run_id for spec in specs if spec.training.tweaks == "none"} for specs in (faded, kept)]
    assert plain[0] == plain[1], "tickets are the same"


def test_section_3_4_has_one_ticket_under_every_schedule_of_ghosts():
    assert TOST["tost_ghosts"].reproduces == "ToST, Section 3.4"
    specs = specs_of("tost_ghosts")
    haunted = [spec for spec in specs if spec.training.ghosts is not None]
    assert values_of(haunted, "tweaks", "density", "ghost_decay", "ghost_until") == {
        (tweak, 0.05, *schedule) for tweak in ("GSk", "GSw")
        for schedule in (("cosine", 0.5), ("cosine", 0.75), ("abrupt", 0.95), ("none", None))
    }  # fmt: skip
    assert len(haunted) == 3 * 8 and values_of(specs, "model", "depth", "dataset") == {("resnet", 18, "cifar100")}
    assert {spec.round_before for spec in haunted} <= set(specs)


def test_tickets_go_back_to_their_initial_values():
    for name in TOST:
        tickets = [spec for spec in specs_of(name) if spec.sparsity.tickets is not None]
        assert {spec.sparsity.tickets.rewind_step for spec in tickets} <= {0}, name


def test_activations_are_counted_as_the_authors_do():
    assert values_of(specs_of("tost_1"), "near_zero") == {(0.01,)}
    assert values_of(specs_of("tost_ablation"), "near_zero") == {(None,)}


@pytest.mark.parametrize(
    ("name", "diagnostics", "tweaks", "networks"),
    [
        ("tost_1", {"activation_sparsity"}, ("none", "GSw"), 39),
        ("tost_figure_2", {"top_eigenvalue"}, ("none",), 33),
        ("tost_figure_8", {"loss_along"}, SINGLY, 48),
        ("tost_figure_9", {"top_eigenvalue"}, ("none", "tost"), 36),
        ("tost_figure_10", {"loss_surface"}, SINGLY[:-1], 45),
    ],
)
def test_presets_look_into_the_ticket_that_the_paper_does(name, diagnostics, tweaks, networks):
    specs = specs_of(name)
    assert len(specs) == networks and values_of(specs, "dataset", "model", "depth") == {("cifar100", "resnet", 18)}
    ticket = [spec for spec in specs if spec.sparsity.density == 0.1]
    assert values_of(ticket, "method") == {("lottery",)} and set(ticket[0].measurement.diagnostics) == diagnostics
    soft = ("swish", "mish") if name == "tost_1" else ("swish",)
    assert values_of(ticket, "tweaks", "ghost_activation") == {
        (tweak, activation) for tweak in tweaks for activation in (soft if tweak in ("GSw", "tost") else (None,))
    }
    kept = {spec.training.ghosts.ghost_decay for spec in ticket if "GSw" in spec.training.tweak_names}
    assert kept <= {"none" if name == "tost_1" else "cosine"}


def test_the_ablation_is_of_each_tweak_on_two_masks():
    specs = specs_of("tost_ablation")
    assert values_of(specs, "score", "distribution", "density", "tweaks") == {
        (score, how, density, tweak)
        for score, how in (("random", "uniform"), ("snip", "global")) for density in (0.1, 0.02) for tweak in SINGLY
    }  # fmt: skip
    assert len(specs) == 3 * 24 and len(specs[0].measurement.diagnostics) == 4
