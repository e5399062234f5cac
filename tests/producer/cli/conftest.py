"""Commands that write reports quickly."""

import pytest


@pytest.fixture
def pngs() -> None:
    """Let the commands of a test write PNG files as well."""


@pytest.fixture(autouse=True)
def quick_reports(request: pytest.FixtureRequest) -> None:
    """Let commands write reports without PNG files, unless a test uses `pngs`."""
    if "pngs" not in request.fixturenames:
        request.getfixturevalue("without_pngs")
