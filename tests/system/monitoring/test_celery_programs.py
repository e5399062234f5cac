"""Celery's own tools, in environments of their own, see a worker and its tasks: `celery inspect`, Flower, an exporter.

`.ci/run` creates these environments. Where one is missing, its test is skipped and says so.
"""

import json
import os
import re
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import CommandLine
from tests.support.metrics import free_port, scrape
from tests.support.mill import start_role
from tests.support.users import add_users, refusals, url_for
from worker.contract.connection import connect
from worker.contract.users import RedisUser
from worker.health import live_processes
from worker.roles import Role

REPOSITORY = Path(__file__).parents[3]


def program(tool: str) -> Path:
    """Return the folder of the programs of a tool's environment."""
    folder = REPOSITORY / f".venv-{tool}" / "bin"
    if not (folder / "python").exists():
        pytest.skip(
            f".venv-{tool} is missing, so Celery's {tool} was not tried (python3 -m venv .venv-{tool} && "
            f".venv-{tool}/bin/pip install -r tests/support/celery_programs/{tool}.txt)"
        )
    return folder


@pytest.fixture(scope="module")
def broker(server, tmp_path_factory, eventually) -> Iterator[str]:
    """A server with digitmill's users, and a worker as its user. Yield the URL of the tools."""
    client, folder, port = connect(server.url), tmp_path_factory.mktemp("tools"), free_port()
    client.flushall()
    add_users(client)
    client.config_set("bind", "127.0.0.1")
    client.config_set("port", str(port))
    at = f"redis://127.0.0.1:{port}/0"
    variables = {"DIGITMILL_CELERY_TOOLS": "1", "DIGITMILL_REDIS_URL": url_for(at, RedisUser.WORKER)}
    worker = start_role(Role.WORKER, {**os.environ, **variables}, folder / "worker.log")
    try:
        eventually(lambda: live_processes(Role.WORKER, server.url), what="a worker")
        yield url_for(at, RedisUser.TOOLS)
        refused = {each for each in refusals(client) if "client|setinfo" not in each}
        assert not refused, "every right that a role or a tool needs, it has"
    finally:
        worker.kill()
        worker.wait()
        client.config_set("port", "0")


@contextmanager
def running(*command: object, **variables: str) -> Iterator[None]:
    """Run a program until the end of the context, without this checkout in its path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.Popen(
        list(map(str, command)), env={**environment, **variables}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def submit(broker: str, folder: Path, digits: Any, png: Callable[..., bytes]) -> None:
    """Let the worker answer some images."""
    (folder / "images").mkdir()
    for index, image in enumerate(digits.images[:20]):
        (folder / "images" / f"{index}.png").write_bytes(png(image))
    at = f"redis://{broker.rpartition('@')[2]}"
    CommandLine(folder, url_for(at, RedisUser.SUBMITTER))("submit", folder / "images", "--batch-size", "5")


def test_an_environment_that_cannot_be_installed_is_removed(tmp_path):
    """With a part of one, the tests below would fail instead of being skipped."""
    script = (REPOSITORY / ".ci" / "run").read_text()
    [install] = re.findall(r"(?ms)^for tool in .*?^done$", script)
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.write_text('#!/bin/sh\nmkdir -p "$4/bin" && ln -s /bin/false "$4/bin/python"\n')
    python.chmod(0o755)
    variables = os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}
    command = ["bash", "-euo", "pipefail", "-c", install]
    said = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=variables)
    assert re.findall(r"NOT TESTED: .*'(\w+)'", said.stdout) == ["flower", "exporter"]
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]


@pytest.mark.slow
def test_celery_inspect_and_flower_see_workers_and_tasks(broker, tmp_path, digits, png, eventually):
    """Its API lists them, and its button for stopping a worker stops none."""
    folder, port = program("flower"), free_port()
    command = [folder / "celery", "--broker", broker, "inspect", "ping"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120)
    assert "1 node online." in done.stdout, done.stdout + done.stderr

    def ask(path: str, data: bytes | None = None) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{path}", data, timeout=60) as answer:
                return json.load(answer)
        except OSError:
            return None

    flower = [folder / "celery", "--broker", broker, "flower", f"--port={port}", "--address=127.0.0.1"]
    with running(*flower, FLOWER_UNAUTHENTICATED_API="1"):
        [(name, _)] = eventually(lambda: ask("workers?status=true"), what="Flower sees the worker").items()
        submit(broker, tmp_path, digits, png)
        eventually(lambda: len(ask("tasks") or ()) == 4, what="Flower sees the four batches")
        assert {task["state"] for task in ask("tasks").values()} <= {"RECEIVED", "STARTED", "SUCCESS"}
        ask(f"worker/shutdown/{name}", b"")
        assert ask("workers?refresh=true")[name]["stats"]["total"]["digitmill.classify"] >= 4


@pytest.mark.slow
def test_an_exporter_counts_tasks(broker, tmp_path, digits, png, eventually):
    """Its metrics have the worker, the tasks and the length of the queue."""
    python, port = program("exporter") / "python", free_port()
    start = "from src.cli import cli; cli()"
    with running(python, "-c", start, "--broker-url", broker, "--host", "127.0.0.1", "--port", port):
        eventually(lambda: _can_scrape(port), what="the exporter answers")
        submit(broker, tmp_path, digits, png)
        eventually(
            lambda: scrape(port).value("celery_task_succeeded_total", name="digitmill.classify") >= 4,
            what="the exporter counts the four batches",
        )
        assert scrape(port).value("celery_worker_up") == 1
        assert scrape(port).has("celery_queue_length", queue_name="digitmill.classify")


def _can_scrape(port: int) -> bool:
    try:
        return bool(scrape(port))
    except OSError:
        return False
