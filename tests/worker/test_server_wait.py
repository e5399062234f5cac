"""Facts about the start of a role's process: it checks its Redis first, and says in one line why it cannot use it."""

import logging
import os
import subprocess
import threading
from pathlib import Path

import pytest
import redis

from producer.mill.stack import Stack
from worker import server_wait
from worker.contract.errors import NotPermitted, UnsuitableServer
from worker.roles import Role
from worker.server_wait import await_server


def start(role: Role, url: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a role that cannot start, to its end."""
    variables = {**os.environ, "DIGITMILL_REDIS_URL": url, "DIGITMILL_DATA": str(folder)}
    return subprocess.run(role.command(), env=variables, capture_output=True, text=True, timeout=100, check=False)


@pytest.mark.parametrize("role", Role)
def test_no_role_works_with_a_redis_that_evicts(
    role: Role, server: Stack, client: "redis.Redis", tmp_path: Path
) -> None:
    """Its supervisor starts it again, and each time its log says why it ended."""
    client.config_set("maxmemory-policy", "allkeys-lru")
    try:
        ended = start(role, server.url, tmp_path)
    finally:
        client.config_set("maxmemory-policy", "noeviction")
    assert ended.returncode == 2
    assert ended.stderr.endswith("(maxmemory-policy allkeys-lru). Set its maxmemory-policy to noeviction.\n")
    assert len(ended.stderr.splitlines()) == 1


def test_a_role_names_the_right_that_it_lacks(server: Stack, client: "redis.Redis") -> None:
    """The user of submitters cannot run a worker."""
    client.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-brpop"])
    url = f"unix://guest:x@{server.server.socket}"
    with pytest.raises(NotPermitted, match=r"user guest run BRPOP on digitmill\.classify\. Give"):
        await_server(Role.WORKER, url)
    await_server(Role.SCHEDULER, url)


def test_a_role_waits_for_a_redis_that_is_away(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says once what it waits for."""
    caplog.set_level(logging.WARNING)
    stack = Stack(tmp_path, 0)
    waiting = threading.Thread(target=await_server, args=(Role.WORKER, stack.url), daemon=True)
    waiting.start()
    waiting.join(1.0)
    assert waiting.is_alive()
    with stack:
        waiting.join(30)
        assert not waiting.is_alive()
    said = [record.getMessage() for record in caplog.records if record.name == server_wait.__name__]
    assert said
    assert len(set(said)) == len(said)
    assert said[0].startswith("waiting: Cannot reach unix://")


def test_a_role_waits_for_a_failover_but_not_for_ever(
    client: "redis.Redis", server: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replica may become the master. If it does not, the process ends with the reason."""
    monkeypatch.setattr(server_wait, "FAILOVER_SECONDS", 0.2)
    client.replicaof("192.0.2.1", "7000")
    try:
        with pytest.raises(UnsuitableServer, match=r"is a read-only replica \(its master is 192\.0\.2\.1:7000\)"):
            await_server(Role.WORKER, server.url)
    finally:
        client.replicaof("NO", "ONE")


def test_a_role_whose_password_is_wrong_ends(server: Stack, client: "redis.Redis") -> None:
    """Waiting would not help, and some servers lock out a client that keeps trying."""
    assert client.ping()
    from worker.contract.errors import Unreachable

    with pytest.raises(Unreachable, match="refuses the user or password"):
        await_server(Role.WORKER, f"unix://nobody:secret@{server.server.socket}")
