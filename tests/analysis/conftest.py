"""Synthetic studies of pairs as fixtures."""

import pytest

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
