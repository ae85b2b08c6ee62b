"""Names that combine parts: variants and tweaks, each with one spelling."""

import pytest

from keras_sparseflow.studies.spec.combined import (
    COMBINED_TWEAKS,
    PARTS,
    TWEAKS,
    VARIANTS,
    Part,
    parse_tweaks,
    parse_variant,
)
from keras_sparseflow.studies.spec.run_spec import RunSpec
from tests.plugins.packages import registered


def test_variants_have_one_spelling():
    assert VARIANTS.canonical("BN_SC_L2_DA") == "DA_L2_SC_BN" == "_".join(PARTS)
    assert VARIANTS.canonical("NR") == "NR" and parse_variant("NR") == frozenset()


def test_tweaks_have_one_spelling_and_a_name_for_all_of_them():
    assert COMBINED_TWEAKS.canonical("GSw_GSk") == "GSk_GSw" and COMBINED_TWEAKS.canonical("LS_LRsI_GSw_GSk") == "tost"
    assert COMBINED_TWEAKS.canonical("none") == "none" and parse_tweaks("none") == frozenset()
    assert parse_tweaks("tost") == {"GSk", "GSw", "LRsI", "LS"}


def test_parts_of_other_packages_stand_behind_the_built_in_ones(monkeypatch):
    registered(monkeypatch, PARTS, B2=Part(help="b"), A1=Part(help="a"))
    registered(monkeypatch, TWEAKS, X=Part(help="x"))
    assert VARIANTS.canonical("B2_A1_BN_DA") == "DA_BN_A1_B2"
    assert parse_tweaks("tost") == {"GSk", "GSw", "LRsI", "LS"}, "those of the paper"
    tweaked = RunSpec.of(width=8, tweaks="X_LS_GSk_GSw_LRsI")
    assert tweaked.training.tweaks == "GSk_GSw_LRsI_LS_X" and tweaked.training.tweak_names > parse_tweaks("tost")
    with pytest.raises(ValueError, match="Unknown variant part 'bn'.*A1, B2.*Did you mean 'BN'"):
        VARIANTS.canonical("bn")
    with pytest.raises(ValueError, match="must match"):
        PARTS.register("my_part", Part(help="its name would be two"))
