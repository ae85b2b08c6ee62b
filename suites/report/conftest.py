"""The synthetic studies of the tests of `analysis`, as fixtures."""

from tests.analysis.conftest import fixture_make_flow, fixture_make_results, fixture_write_study, undrawn, unrendered

__all__ = ["fixture_make_flow", "fixture_make_results", "fixture_write_study", "undrawn", "unrendered"]
