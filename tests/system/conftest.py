"""Commands that write reports quickly."""

import pytest


@pytest.fixture(autouse=True)
def quick_reports(without_pngs: None) -> None:
    """Let commands write reports without PNG files."""
