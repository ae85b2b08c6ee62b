"""Small studies of Vision Transformers: pairs of equal capacity in every kernel, and densities."""

from keras_sparseflow.studies.presets.preset_table import studies_of
from keras_sparseflow.studies.size.kernel_counts import counted_kernels
from tests.studies.presets.sizes import size_of, specs_of, values_of


def test_the_group_has_pairs_and_densities_of_one_network_and_recipe():
    assert [(study.name, study.comparison) for study in studies_of("vit_small")] == [
        ("scsdc_vit", "pairs"), ("vit_densities", "densities"),
    ]  # fmt: skip
    fields = ("model", "depth", "patch_size", "heads", "width", "activation", "optimizer", "learning_rate", "epochs")
    both = [values_of(specs_of(name), *fields) for name in ("scsdc_vit", "vit_densities")]
    assert both == [{("vit", 2, 2, 4, 3, "gelu", "adam", 0.003, 20)}] * 2


def test_pairs_have_the_same_active_weights_in_every_kernel():
    """Embeddings of 48 entries and heads of 12: a quarter, a half and three quarters of both are whole."""
    specs, size = specs_of("scsdc_vit"), size_of("scsdc_vit")
    sparse, dense = ([s for s in specs if s.sparsity.is_dense == arm and s.seed == 0] for arm in (False, True))
    assert len(specs) == 18 and len(sparse) == len(dense) == 3
    for one, other, entries in zip(sparse, dense, (12, 24, 36), strict=True):
        kernels = [counted_kernels(spec, size) for spec in (one, other)]
        assert [kernel.active for kernel in kernels[0]] == [kernel.size for kernel in kernels[1]]
        assert kernels[1][1].shape == (entries, entries) and kernels[0][1].shape == (48, 48)


def test_densities_begin_with_a_twentieth():
    specs = specs_of("vit_densities")
    assert len(specs) == 12 and values_of(specs, "density") == {(0.05,), (0.1,), (0.2,), (1.0,)}
