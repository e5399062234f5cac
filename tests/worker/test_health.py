"""Facts about the roles' commands and their health checks: what containers and `digitmill up` rely on."""

import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worker.contract.ledger import Ledger
from worker.contract.training import Schedule, Trainings
from worker.roles import Role

ROOT = Path(__file__).parents[2]
HERE = f"{socket.gethostname()}-1"


def health(url, *arguments):
    """Run the check as Docker does; its exit code and what it says."""
    run = subprocess.run(
        [sys.executable, "-m", "worker.health", *arguments],
        env={**os.environ, "DIGITMILL_REDIS_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.count("\n") == run.returncode, "one line says why, or there is nothing to say"
    return run.returncode, run.stdout


def announce(role, client, name):
    """Say that a process of this role is alive."""
    match role:
        case Role.WORKER:
            Ledger(client, ttl_seconds=60).announce(name, {"ready": 1}, ttl_seconds=5)
        case Role.TRAINER:
            Trainings(client).announce(name)
        case Role.SCHEDULER:
            Schedule(client).announce(name, "", None)


@pytest.mark.parametrize("role", Role)
def test_a_role_is_well_while_this_hosts_process_of_it_is_heard_of(server, client, role):
    """Others' processes, and those of other roles, do not count; and it is found out at once."""
    for other in Role:
        announce(other, client, HERE if other is not role else "elsewhere-1")
    assert health(server.url, role) == (
        1,
        f"No {role} of {socket.gethostname()} has been heard of for seconds. Its log may say why.\n",
    )
    announce(role, client, HERE)
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        announce(role, client, HERE)
        assert health(server.url, role) == (0, "")
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 1, "Docker asks every few seconds; 0.3 s on an idle core"


def test_a_worker_that_is_not_ready_is_not_well(server, client):
    """It answers nothing yet."""
    Ledger(client, ttl_seconds=60).announce(HERE, {"ready": 0}, ttl_seconds=5)
    assert health(server.url, "worker")[0] == 1


def test_without_redis_nothing_is_well(tmp_path):
    """And the password is not shown."""
    code, said = health(f"unix://user:secret@{tmp_path}/redis.sock", "trainer")
    assert code == 1
    assert re.match(r"Cannot reach unix://user:\*\*\*@", said)


@pytest.mark.parametrize("arguments", [(), ("producer",), ("worker", "trainer")])
def test_what_is_no_role_is_refused(server, arguments):
    """With those that there are."""
    assert health(server.url, *arguments) == (1, "Name a role: worker, trainer, scheduler.\n")


def test_compose_starts_each_role_from_the_image_of_its_name_and_changes_no_command():
    """What that image runs is what the role's command is."""
    services = (ROOT / "docker-compose.yml").read_text().partition("\nservices:\n")[2]
    for role in Role:
        [service] = re.findall(rf"^  {role}:\n((?:    .*\n)+)", services, re.MULTILINE)
        assert f"target: {role}," in service
        assert not re.search(r"^    (command|entrypoint|healthcheck):", service, re.MULTILINE)


def test_every_role_is_a_module_that_runs():
    """Of this program."""
    for role in Role:
        assert role.command()[:2] == [sys.executable, "-m"]
        assert (ROOT.joinpath(*role.module.split(".")) / "__main__.py").exists()
