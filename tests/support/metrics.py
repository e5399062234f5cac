"""Reads metrics as Prometheus does."""

import socket
import urllib.request
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Scrape(NamedTuple):
    """What a process shows.

    Attributes:
        samples: Name, labels and value of each sample.
    """

    samples: list[tuple[str, dict[str, str], float]]

    def value(self, name: str, /, **labels: str) -> float:
        """Return the sum of the samples with this name and these labels, which are some of theirs; 0 if none."""
        return sum(value for each, its, value in self.samples if each == name and labels.items() <= its.items())

    def has(self, name: str, /, **labels: str) -> bool:
        """Return whether there is such a sample."""
        return any(each == name and labels.items() <= its.items() for each, its, _ in self.samples)


def scrape(port: int, path: str = "/metrics") -> Scrape:
    """Read the metrics of the process at a port of this machine."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        return parse(answer.read().decode())


def parse(text: str) -> Scrape:
    """Return the samples of a text in Prometheus' format."""
    families = text_string_to_metric_families(text)
    return Scrape([(each.name, each.labels, each.value) for family in families for each in family.samples])


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
