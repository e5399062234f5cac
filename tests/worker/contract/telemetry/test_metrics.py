"""Facts about the table of metrics."""

import re
from pathlib import Path

from worker.contract.telemetry.metrics import METRICS, Kind, Metric

PAGE = (Path(__file__).parents[4] / "docs" / "monitoring.md").read_text(encoding="utf-8")


def row(metric: Metric) -> str:
    """Return the row of a metric in the page."""
    name = f"{metric.name}{{{','.join(metric.labels)}}}" if metric.labels else metric.name
    return f"| `{name}` | {metric.kind} | {metric.where} | {metric.unit} | {metric.meaning} | {metric.action} |"


def test_the_page_has_a_row_for_each_metric_and_no_other() -> None:
    """With type, place, unit, meaning, and what to do when it moves. The rows are printed if the page lacks them."""
    table = PAGE.partition("## The metrics\n")[2].partition("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `digitmill_")]
    expected = [row(metric) for metric in METRICS]
    assert rows == expected, "\n".join(expected)


def test_names_follow_the_rules_of_prometheus() -> None:
    """Base units, and endings that say what a metric is."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"digitmill_[a-z_]+", metric.name)
        assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
        assert not metric.name.endswith("_seconds") or metric.unit == "seconds"
        assert bool(metric.buckets) == (metric.kind is Kind.HISTOGRAM)
        assert list(metric.buckets) == sorted(metric.buckets)
