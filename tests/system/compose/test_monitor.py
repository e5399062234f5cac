"""The profile `monitor` watches the mill: Prometheus finds every process, and says when no worker is left."""

import json
import urllib.error
import urllib.parse
import urllib.request

import pytest

from tests.system.compose.project import REPOSITORY, inspect

PROMETHEUS = "http://127.0.0.1:9090/api/v1"
RULES = (REPOSITORY / "docker/prometheus/alerts.yml").read_text().count("- alert: ")


@pytest.fixture
def watched(mill, three_workers):  # noqa: ARG001  they are watched
    """Start the profile, as its user does. Return the container of the exporter."""
    mill("--profile", "monitor", "up", "--detach", "--no-recreate", "--no-deps", "exporter", "prometheus", seconds=300)
    [exporter] = mill.containers("exporter")
    yield exporter
    mill("--profile", "monitor", "rm", "--force", "--stop", "exporter", "prometheus")


def ask(path, **parameters):
    """Return what Prometheus answers, or None if it does not yet."""
    address = f"{PROMETHEUS}/{path}?{urllib.parse.urlencode(parameters)}"
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:  # noqa: S310  the service of this test
            return json.load(answer)["data"]
    except (urllib.error.URLError, OSError):
        return None


def value(query):
    """Return the value of a query with one result, or None."""
    found = ask("query", query=query)
    return float(found["result"][0]["value"][1]) if found and found["result"] else None


def test_prometheus_finds_every_process_and_says_when_no_worker_is_left(watched, mill, eventually):
    """Also the workers that scaling adds. Every rule is loaded."""
    roles = {"worker": 3, "trainer": 1, "scheduler": 1, "exporter": 1}
    for role, number in roles.items():
        query = f'count(up * on (instance) group_left (role) digitmill_process_info{{role="{role}"}} == 1)'
        eventually(lambda query=query, number=number: value(query) == number, seconds=120, what=f"{number} {role}")
    rules = [rule for group in ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == RULES > 0
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    eventually(lambda: value('digitmill_workers{state="ready"}') == 3, what="the exporter sees three workers")
    assert value("digitmill_redis_memory_limit_bytes") == 2**30
    eventually(lambda: inspect(watched)["State"]["Health"]["Status"] == "healthy", what="the exporter is healthy")

    mill.scale(0)

    def fires():
        found = ask("alerts")
        return found and any(
            (alert["labels"]["alertname"], alert["state"]) == ("DigitmillNoWorker", "firing")
            for alert in found["alerts"]
        )

    eventually(fires, seconds=180, what="DigitmillNoWorker fires")
