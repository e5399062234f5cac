"""Facts about the health checks that containers run."""

import os
import re
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from worker import health
from worker.contract.ledger import Ledger
from worker.contract.training import Schedule, Trainings
from worker.contract.validation.identifiers import process_name
from worker.roles import Role

ROOT = Path(__file__).parents[2]
HERE = process_name(socket.gethostname(), 1)
DOCKER_TIMEOUT_SECONDS = 5.0
"""Docker ends a check that takes longer; the Dockerfile says so."""


@pytest.fixture
def check_health(monkeypatch, capsys):
    """Run the check in this process. Return its exit code and what it printed."""

    def check(url, *arguments):
        monkeypatch.setenv("DIGITMILL_REDIS_URL", url)
        code, (said, errors) = health.main(arguments), capsys.readouterr()
        assert errors == ""
        assert said.count("\n") == code, "it prints one line if it fails, and nothing if it passes"
        return code, said

    return check


def test_docker_has_time_for_the_check(server, client):
    """Its process takes less CPU time than Docker gives it time, and ends with the same code and line."""
    announce(Role.WORKER, client, HERE)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for role, code in ((Role.WORKER, 0), (Role.TRAINER, 1)):
        command = [sys.executable, "-m", "worker.health", role]
        variables = {**os.environ, "DIGITMILL_REDIS_URL": server.url}
        ran = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)
        assert (ran.returncode, ran.stdout.count("\n"), ran.stderr) == (code, code, "")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2 * DOCKER_TIMEOUT_SECONDS


def announce(role, client, name):
    """Report that a process of a role is alive."""
    match role:
        case Role.WORKER:
            Ledger(client, ttl_seconds=60).announce(name, {"ready": 1}, ttl_seconds=60)
        case Role.TRAINER:
            Trainings(client).announce(name)
        case Role.SCHEDULER:
            Schedule(client).announce(name, "", None)


@pytest.mark.parametrize("role", Role)
def test_the_check_of_a_role_passes_while_this_host_runs_it(check_health, server, client, role):
    """Processes of other hosts and of other roles do not count."""
    for other in Role:
        announce(other, client, HERE if other is not role else "elsewhere-1")
    assert check_health(server.url, role) == (
        1,
        f"Redis has not heard from a {role} on this host for seconds. The log of the {role} may say why.\n",
    )
    announce(role, client, HERE)
    assert check_health(server.url, role) == (0, "")


def test_the_check_of_a_worker_that_is_not_ready_fails(check_health, server, client):
    """It cannot answer anything yet."""
    Ledger(client, ttl_seconds=60).announce(HERE, {"ready": 0}, ttl_seconds=60)
    assert check_health(server.url, "worker")[0] == 1


def test_without_redis_every_check_fails(check_health, tmp_path):
    """Its message does not show the password."""
    code, said = check_health(f"unix://user:secret@{tmp_path}/redis.sock", "trainer")
    assert code == 1
    assert re.match(r"Cannot reach unix://user:\*\*\*@", said)


@pytest.mark.parametrize("arguments", [(), ("producer",), ("worker", "trainer")])
def test_the_check_of_anything_else_fails_and_lists_the_roles(check_health, server, arguments):
    """It takes exactly one role."""
    assert check_health(server.url, *arguments) == (1, "Name one role: worker, trainer, scheduler.\n")


def test_compose_starts_each_role_from_the_image_of_its_name_and_changes_no_command():
    """So a role's command is written in the Dockerfile alone."""
    services = (ROOT / "docker-compose.yml").read_text().partition("\nservices:\n")[2]
    for role in Role:
        [service] = re.findall(rf"^  {role}:\n((?:    .*\n)+)", services, re.MULTILINE)
        assert f"target: {role}," in service
        assert not re.search(r"^    (command|entrypoint|healthcheck):", service, re.MULTILINE)
