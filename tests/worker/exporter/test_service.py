"""Facts about the process of the exporter."""

import os
import subprocess
import sys

from tests.support.metrics import free_port, scrape


def start(**variables: str) -> "subprocess.Popen[str]":
    """Start an exporter."""
    command = [sys.executable, "-P", "-m", "worker.exporter"]
    return subprocess.Popen(command, env={**os.environ, **variables}, stderr=subprocess.PIPE, text=True)


def test_it_starts_without_redis_and_ends_when_told(tmp_path, eventually) -> None:
    """Otherwise nobody would hear that Redis is away."""
    port = free_port()
    process = start(DIGITMILL_REDIS_URL=f"unix://{tmp_path}/none", DIGITMILL_METRICS_PORT=str(port))

    def answers() -> bool:
        try:
            return scrape(port).has("digitmill_redis_up")
        except OSError:
            assert process.poll() is None
            return False

    eventually(answers, what="the exporter answers")
    assert scrape(port).value("digitmill_redis_up") == 0
    process.terminate()
    assert process.wait(60) == 0


def test_without_a_port_it_says_what_to_set() -> None:
    """In one line."""
    process = start(DIGITMILL_METRICS_PORT="")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 2
    assert said == "The exporter needs a port. Set DIGITMILL_METRICS_PORT, for example to 9464.\n"
