"""Synthetic studies of pairs as fixtures."""

import pytest

from keras_sparseflow.analysis.figures import gallery
from tests.analysis import pairs


@pytest.fixture(scope="session", name="make_results")
def fixture_make_results():
    return pairs.make_results


@pytest.fixture(scope="session", name="make_flow")
def fixture_make_flow():
    return pairs.make_flow


@pytest.fixture(scope="session", name="write_study")
def fixture_write_study():
    return pairs.write_study


@pytest.fixture
def unrendered(monkeypatch):
    """Figures of pages are drawn, but not rendered, which takes most of the time: nothing but their titles counts."""
    monkeypatch.setattr(gallery, "figure_bytes", lambda figure: b'<svg width="72pt" viewBox="0 0 1 1"></svg>')
