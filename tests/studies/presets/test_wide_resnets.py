"""The figures of Wide ResNets in "Keep the Gradients Flowing" as studies, and matched pairs of image networks."""

import pytest

from keras_sparseflow.studies.presets.preset_table import PRESETS
from keras_sparseflow.studies.size.kernel_counts import counted_kernels, matched_kernels
from tests.studies.presets.sizes import size_of, specs_of, values_of


@pytest.mark.parametrize(("name", "networks"), [("wrn_random", 138), ("wrn_magnitude", 88)])
def test_presets_are_of_the_published_network_and_recipe(name, networks):
    specs = specs_of(name)
    assert len(specs) == networks and values_of(specs, "model", "depth", "width") == {("wide_resnet", 28, 10)}
    recipe = values_of(specs, "dataset", "epochs", "schedule", "learning_rate", "batch_size")
    assert recipe == {("cifar100", 200, "wide_resnet", 0.1, 128)} and values_of(specs, "l2") <= {(5e-4,), (None,)}
    densities = {density for (density,) in values_of(specs, "density")}
    assert (min(densities), max(densities)) == (0.01, 1) and PRESETS.get(name).reproduces


@pytest.mark.parametrize(("name", "model"), [("scsdc_wide_resnet", "wide_resnet"), ("scsdc_resnet", "resnet")])
def test_pairs_of_image_networks_have_the_same_capacity_in_every_kernel(name, model):
    specs, size = specs_of(name), size_of(name)
    sparse, dense = (
        sorted({s.but(seed=0) for s in specs if s.sparsity.is_dense == arm}, key=lambda s: s.run_id)
        for arm in (False, True)
    )
    assert len(specs) == 2 * 5 * 3 * 2 and values_of(specs, "model") == {(model,)} and len(sparse) == len(dense) == 10
    for spec in sparse:
        narrow = [kernel.size for kernel, _ in matched_kernels(spec, size)]
        assert [kernel.active for kernel in counted_kernels(spec, size)] == narrow
        assert narrow in [[kernel.size for kernel in counted_kernels(other, size)] for other in dense]
