"""A mill that a real Prometheus watches, with the rules that ship and shorter times."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.metrics import free_port
from tests.support.mill import Mill
from worker.contract.connection import connect
from worker.exporter.service import ANSWER_SECONDS

REPOSITORY = Path(__file__).parents[3]
SHIPPED = REPOSITORY / "docker" / "prometheus"

SHORTER = {"for: ": "for: 0s #", "[10m]": "[10s]", "[15m]": "[10s]", "[1d]": "[10m]", "> 300": "> 2"}
"""What the tests change in the rules, so that they take seconds: how long something must last, and over which time."""


def program(name: str) -> str:
    """Return the path of one of Prometheus' programs."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed here (Debian's package prometheus has it), so no alert was tried")
    return found


@dataclass
class Watched:
    """A mill and its Prometheus.

    Attributes:
        mill: The mill, with one worker.
        exporter: The process of the exporter.
        url: Address of Prometheus.
    """

    mill: Mill
    exporter: "subprocess.Popen[bytes]"
    url: str

    @property
    def redis(self) -> Any:
        """A connection of the owner of Redis."""
        return connect(self.mill.stack.url)

    def ask(self, path: str, **parameters: str) -> Any:
        """Return what Prometheus answers, or None if it is not there yet."""
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  our own process
                return json.load(answer)["data"]
        except OSError:
            return None

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        found = self.ask("alerts") or {"alerts": []}
        return {alert["labels"]["alertname"] for alert in found["alerts"] if alert["state"] == "firing"}


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, start_mill_in: Callable[..., Any], eventually: Callable[..., Any]
) -> Iterator[Watched]:
    """Run a mill, an exporter and Prometheus."""
    prometheus, folder = program("prometheus"), tmp_path_factory.mktemp("watched")
    worker, exporter, itself = free_port(), free_port(), free_port()
    with start_mill_in(folder / "mill", 1, DIGITMILL_METRICS_PORT=str(worker)) as mill:
        environment = {"DIGITMILL_REDIS_URL": mill.stack.url, "DIGITMILL_METRICS_PORT": str(exporter)}
        looking = subprocess.Popen([sys.executable, "-m", "worker.exporter"], env={**os.environ, **environment})
        _configure(folder, worker, exporter)
        flags = [f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
        with (folder / "log").open("wb") as log:
            asked = subprocess.Popen([prometheus, *flags, f"--web.listen-address=127.0.0.1:{itself}"], stderr=log)
        found = Watched(mill, looking, f"http://127.0.0.1:{itself}")
        try:
            eventually(
                lambda: len((found.ask("query", query="up == 1") or {"result": ()})["result"]) == 2,
                what="Prometheus reads worker and exporter",
            )
            yield found
        finally:
            for process in (asked, looking):
                process.kill()
                process.wait()


def _configure(folder: Path, *ports: int) -> None:
    """Write what ships, with other addresses and shorter times."""
    rules = (SHIPPED / "alerts.yml").read_text(encoding="utf-8")
    for shipped, shorter in SHORTER.items():
        assert shipped in rules
        rules = rules.replace(shipped, shorter)
    (folder / "alerts.yml").write_text(rules, encoding="utf-8")
    settings = (SHIPPED / "prometheus.yml").read_text(encoding="utf-8")
    targets = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
    static = f"    static_configs: [{{targets: [{targets}]}}]\n"
    settings, places = re.subn(r"(?s)    dns_sd_configs:.*", static, settings)
    # Prometheus waits for an answer as long as an interval, and the exporter waits for Redis.
    settings = settings.replace("scrape_interval: 5s", f"scrape_interval: {int(1000 * ANSWER_SECONDS) + 500}ms")
    settings = settings.replace("evaluation_interval: 5s", "evaluation_interval: 1s")
    assert (places, settings.count("5s")) == (1, 0)
    (folder / "prometheus.yml").write_text(settings, encoding="utf-8")
