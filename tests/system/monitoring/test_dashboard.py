"""Facts about the dashboard for Grafana. Grafana itself is not tried: its page is a JSON file that it imports."""

import json
import re
from itertools import combinations
from typing import Any

from tests.system.monitoring.conftest import REPOSITORY
from worker.contract.telemetry.metrics import METRICS, Kind

DASHBOARD: dict[str, Any] = json.loads((REPOSITORY / "docker/grafana/digitmill.json").read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]


def test_it_has_what_grafana_needs_to_import_it() -> None:
    """A title, an identifier, a data source to choose, and for each panel a type, a place and queries of it."""
    assert DASHBOARD["title"] == DASHBOARD["uid"] == "digitmill"
    assert isinstance(DASHBOARD["schemaVersion"], int)
    [source] = DASHBOARD["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for panel in PANELS:
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"] in {"short", "s", "bytes", "percentunit"}
        assert panel["datasource"]["uid"] == f"${{{source['name']}}}"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]) > 0
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])


def test_no_panel_covers_another() -> None:
    """The grid is 24 columns wide."""
    cells = [panel["gridPos"] for panel in PANELS]
    assert all(cell["x"] >= 0 and cell["x"] + cell["w"] <= 24 for cell in cells)
    for one, two in combinations(cells, 2):
        apart_x = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
        assert apart_x or apart_y


def test_each_metric_that_it_shows_exists() -> None:
    """In the table of metrics."""
    endings = {Kind.HISTOGRAM: ("_bucket", "_sum", "_count")}
    known = {metric.name + ending for metric in METRICS for ending in endings.get(metric.kind, ("",))}
    shown = {
        name for panel in PANELS for target in panel["targets"] for name in re.findall(r"digitmill_\w+", target["expr"])
    }
    assert shown <= known
