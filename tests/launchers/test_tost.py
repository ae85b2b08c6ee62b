"""The launcher of ToST's studies: help, refusals, and the presets that it names."""

import os
from pathlib import Path

import pytest

from keras_sparseflow.studies.presets.tost_studies import TOST_PRESETS
from tests import processes

SINGLY = ("none", "GSk", "GSw", "LRsI", "LS", "tost")
LAUNCHER = Path(__file__).parents[2] / "launchers" / "tost.py"


def launch(*arguments):
    return processes.run(LAUNCHER, *arguments, env={**os.environ, "COLUMNS": "200"})


def test_help_shows_how_to_call_it_and_the_flags_of_tweaks():
    text = " ".join(launch("--help").stdout.split())
    assert "python launchers/tost.py --preset=tost_2_cifar10_resnet_32 --dry_run" in text
    for flag in ("--tweaks: tweaks of ToST: none, tost for all", "--ghost_until", "--rescale_iterations", "--rounds"):
        assert flag in text, flag


def test_an_unknown_tweak_is_refused_in_a_line():
    done = launch("--tweaks=none,GSx")
    assert done.returncode == 1 and "Unknown tweak 'GSx'; expected one of none, tost, GSk" in done.stderr


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
    preset = TOST_PRESETS.get(name)
    specs = preset.specs(3072, 100)
    assert len(specs) == networks == len({spec.run_id for spec in specs})
    assert {(spec.model, spec.depth, spec.width) for spec in specs} == {network}
    assert {(s.epochs, s.batch_size, s.schedule, s.l2, s.optimizer, s.learning_rate) for s in specs} == {
        (180, 128, "step", 2e-4, "momentum", 0.1)
    }
    assert {spec.tweaks for spec in specs} == tweaks
    tweaked = {spec.density for spec in specs if spec.tweaks != "none"}
    assert densities is None or tweaked == densities
    assert {spec.round_before for spec in specs} <= {None, *specs}, "each round begins with a run of the study"
    falls = [spec.density / spec.round_before.density for spec in specs if spec.round_before]
    assert falls and min(falls) > 0.72, "a round removes about a fifth"


def test_ghosts_fade_in_one_study_of_figure_6_and_stay_in_the_other():
    faded, kept = (TOST_PRESETS.get(f"tost_figure_6_{name}").specs(3072, 100) for name in ("faded", "kept"))
    for specs, decay in ((faded, "cosine"), (kept, "none")):
        assert {spec.ghost_decay for spec in specs if spec.tweaks != "none"} == {decay}
    plain = [{spec.run_id for spec in specs if spec.tweaks == "none"} for specs in (faded, kept)]
    assert plain[0] == plain[1], "tickets are the same"


@pytest.mark.parametrize(
    ("name", "diagnostics", "tweaks", "networks"),
    [
        ("tost_1", {"activation_sparsity"}, {"none": {"swish"}, "GSw": {"swish", "mish"}}, 39),
        ("tost_figure_2", {"top_eigenvalue"}, {"none": {"swish"}}, 33),
        ("tost_figure_8", {"loss_along"}, {name: {"swish"} for name in SINGLY}, 48),
        ("tost_figure_9", {"top_eigenvalue"}, {"none": {"swish"}, "tost": {"swish"}}, 36),
        ("tost_figure_10", {"loss_surface"}, {name: {"swish"} for name in SINGLY[:-1]}, 45),
    ],
)
def test_presets_look_into_the_ticket_that_the_paper_does(name, diagnostics, tweaks, networks):
    preset = TOST_PRESETS.get(name)
    specs = preset.specs(3072, 100)
    assert len(specs) == networks and {(s.dataset, s.model, s.depth) for s in specs} == {("cifar100", "resnet", 18)}
    ticket = [spec for spec in specs if spec.density == 0.1]
    assert {spec.method for spec in ticket} == {"lottery"} and set(ticket[0].diagnostics) == diagnostics
    assert {t: {s.ghost_activation for s in ticket if s.tweaks == t} for t in {s.tweaks for s in ticket}} == tweaks
    kept = {spec.ghost_decay for spec in ticket if "GSw" in spec.tweak_names}
    assert kept <= {"none" if name == "tost_1" else "cosine"}


def test_the_ablation_is_of_each_tweak_on_two_masks():
    specs = TOST_PRESETS.get("tost_ablation").specs(3072, 10)
    cells = {(spec.score, spec.distribution, spec.density, spec.tweaks) for spec in specs}
    assert len(cells) == 2 * 2 * 6 and len(specs) == 3 * 24
    assert {(score, how) for score, how, *_ in cells} == {("random", "uniform"), ("snip", "global")}
    assert {density for *_, density, _ in cells} == {0.1, 0.02} and len(specs[0].diagnostics) == 4
