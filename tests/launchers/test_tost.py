"""The launcher of ToST's studies: help, refusals, and the presets that it names."""

import os
from pathlib import Path

import pytest

from keras_sparseflow.experiments.paper_tost import TOST_PRESETS
from tests import processes

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
