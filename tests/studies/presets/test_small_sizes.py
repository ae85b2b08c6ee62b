"""Small versions of presets: they can be trained on digits, and ask the same."""

import pytest

from keras_sparseflow.studies.prepare import prepare
from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.presets.small_sizes import small

OF_EACH_KIND = [
    *("demo", "table_6a", "wrn_random", "wrn_magnitude", "masks", "masks_mlp", "lottery", "scsdc_resnet", "scsdc_vit"),
    *("vit_densities", "tost_1", "tost_2_cifar10_resnet_50", "tost_3", "tost_4", "tost_5", "tost_figure_6_kept"),
    *(
        "tost_figure_7_cifar10_vgg_16",
        "tost_figure_7_cifar100_mobilenet",
        "tost_figure_10",
        "tost_ablation",
        "tost_ghosts",
    ),
]


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_a_small_version_has_no_more_networks_is_cheap_and_nothing_refuses_it(name, tmp_path):
    study = PRESETS.get(name)
    prepared = prepare(small(study), runs_dir=tmp_path, executor="serial")
    assert prepared.cost.flops < 2e13
    assert {spec.training.epochs for spec in prepared.specs} == {4}
    grids = {tuple(sorted(grid.items())) for grid in prepared.study.grids}
    assert len(grids) <= len(study.grids)
    assert prepared.study.preset is study and prepared.study.name == f"{name}_small"


def test_a_grid_of_low_densities_alone_stays():
    """The schedules of ghosts are tried at 5%, which small networks do not have."""
    specs = prepare(small(PRESETS.get("tost_ghosts")), executor="serial").specs
    haunted = [spec for spec in specs if spec.training.ghosts is not None]
    assert len(haunted) == 8 and {spec.sparsity.density for spec in haunted} == {0.1}


def test_what_varies_still_varies_and_densities_are_the_outermost_that_small_networks_have():
    version = small(PRESETS.get("tost_4"))
    tweaks = {tweak for grid in version.grids for tweak in grid["tweaks"]}
    densities = {density for grid in version.grids for density in grid["density"]}
    assert tweaks == {"none", "GSk", "GSw", "LRsI", "LS", "tost"} and densities == {0.1, 0.8}
