"""Facts about the check of Redis at each start: what is refused, what is warned of, and what is waited for."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import BusyLoadingError, ReadOnlyError

from producer.mill.finding import open_mill, submitting
from tests.support.running_server import running_server
from worker.contract import server_check
from worker.contract.connection import connect, retry_transient
from worker.contract.errors import Unreachable, UnsuitableServer
from worker.contract.server_check import inspect_server
from worker.roles import Role
from worker.server_wait import needs
from worker.settings import Settings

StartServer = Callable[..., str]

SOUND: dict[str, Any] = {
    "redis_version": "7.0.15",
    "redis_mode": "standalone",
    "cluster_enabled": 0,
    "role": "master",
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
}


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start servers with chosen options. Return the URL of each."""
    with contextlib.ExitStack() as started:
        yield lambda *options: started.enter_context(running_server(tmp_path / "server", *options))


def refusal(url: str, **options: Any) -> str:
    """Return why a client refuses a Redis."""
    with pytest.raises((UnsuitableServer, Unreachable)) as caught:
        open_mill(url, Settings.from_environment({}), **options)
    sentence = str(caught.value)
    assert sentence.startswith(url.partition(":")[0])
    assert "\n" not in sentence
    return sentence


def test_the_embedded_server_is_sound(client: "redis.Redis") -> None:
    """So nobody is warned of anything, and each role has the rights that it needs."""
    all_needs = [command for role in Role for command in needs(role)]
    assert inspect_server(client, "redis", [*all_needs, *submitting()]) == ()
    assert list(client.scan_iter()) == [], "the check of the rights runs nothing"


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-lru", "volatile-ttl"])
def test_a_policy_that_evicts_is_refused(client: "redis.Redis", policy: str) -> None:
    """Even if it spares keys that never expire, because most of digitmill's do."""
    client.config_set("maxmemory-policy", policy)
    try:
        with pytest.raises(UnsuitableServer, match=rf"policy {policy}\)\. Set its maxmemory-policy to noeviction"):
            inspect_server(client, "redis")
    finally:
        client.config_set("maxmemory-policy", "noeviction")


def test_a_server_without_an_append_only_file_is_warned_of(
    start_server: StartServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart of it would lose everything, and perhaps that is wanted."""
    connection = open_mill(start_server(), Settings.from_environment({}))
    [warning] = connection.warnings
    assert warning.endswith("Set its appendonly to yes.")
    assert [record.getMessage() for record in caplog.records] == [warning]


def test_a_server_that_cannot_write_its_files_is_warned_of(tmp_path: Path, eventually: Callable[..., Any]) -> None:
    """Its disk may be full. Here its folder is gone, which is the same to Redis."""
    with running_server(tmp_path / "server", "--appendonly", "yes") as url:
        client = connect(url)
        assert inspect_server(client, "redis") == ()
        shutil.rmtree(tmp_path / "server")
        client.bgsave()
        eventually(lambda: client.info()["rdb_last_bgsave_status"] == "err", what="a fault of Redis")
        [warning] = inspect_server(client, "redis")
    assert warning.startswith("redis could not write its data to its disk")


def test_a_cluster_is_refused(start_server: StartServer) -> None:
    """Scripts with keys of several slots do not run there."""
    url = start_server("--cluster-enabled", "yes")
    assert "is part of a Redis Cluster" in refusal(url)


def test_a_database_that_does_not_exist_is_refused(start_server: StartServer) -> None:
    """The remedy names the setting."""
    assert "has no database of this number" in refusal(f"{start_server()}?db=99")


def test_a_replica_is_waited_for_until_it_is_promoted(start_server: StartServer) -> None:
    """A failover takes a while. If it does not come, the error names the master."""
    url = start_server("--replicaof", "192.0.2.1 7000", "--appendonly", "yes")
    client = connect(url)
    with pytest.raises(ReadOnlyError, match=r"its master is 192\.0\.2\.1:7000"):
        inspect_server(client, "redis")
    began = time.monotonic()
    assert "is a read-only replica (its master is 192.0.2.1:7000). Set" in refusal(
        url, timeout=0.1, command_timeout=0.5
    )
    assert time.monotonic() - began >= 0.5

    def promote(_: object) -> None:
        client.replicaof("NO", "ONE")

    assert retry_transient(lambda: inspect_server(connect(url), "redis"), timeout=30, on_wait=promote) == ()


def test_missing_rights_are_named_with_their_user(client: "redis.Redis", server: Any) -> None:
    """Without the right to ring, a job would be slow and nothing would say so. Nothing is run to find that out."""
    client.acl_setuser(
        "guest",
        enabled=True,
        nopass=True,
        keys=["digitmill:*"],
        categories=["+@all"],
        reset=True,
    )
    url = f"unix://guest:x@{server.server.socket}"
    assert open_mill(url, Settings.from_environment({})).warnings == ()
    sentence = refusal(url, needs=submitting())
    assert "does not let its user guest run LPUSH on digitmill.classify. Give" in sentence
    assert ":x@" not in sentence
    client.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-evalsha"])
    assert "user guest run EVALSHA on digitmill:open. Give" in refusal(url, needs=submitting())
    client.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-multi"])
    assert inspect_server(connect(url), "redis", submitting()) == ()
    assert list(client.scan_iter()) == []


def test_a_server_that_does_not_tell_is_warned_of(client: "redis.Redis", server: Any) -> None:
    """Providers of Redis forbid what they like. The warning says what to make sure of."""
    client.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-info"])
    connection = connect(f"unix://guest:x@{server.server.socket}")
    [warning] = inspect_server(connection, "redis", submitting())
    assert "does not let its user run INFO" in warning
    client.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], categories=["+@all"], commands=["-config"])
    assert inspect_server(connection, "redis", submitting()) == ()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"redis_version": "6.0.16"}, "too old"),
        ({"redis_version": 6.0}, "too old"),
        ({"redis_version": "2.8.0"}, "too old"),
        ({"redis_mode": "sentinel"}, "is a Sentinel"),
        ({"redis_mode": "cluster"}, "Redis Cluster"),
    ],
)
def test_servers_that_are_not_at_hand_are_refused_by_what_they_say(facts: dict[str, Any], words: str) -> None:
    """Old servers and sentinels answer INFO as others do."""
    server_check._refuse(SOUND, "redis")
    with pytest.raises(UnsuitableServer, match=words):
        server_check._refuse({**SOUND, **facts}, "redis")


@pytest.mark.parametrize("missing", ["maxmemory_policy", "aof_enabled"])
def test_what_info_leaves_out_is_warned_of(missing: str) -> None:
    """The sentence says what it should be."""
    assert server_check._warnings(SOUND, "redis") == []
    [warning] = server_check._warnings({name: value for name, value in SOUND.items() if name != missing}, "redis")
    assert "does not say" in warning
    assert "Make sure" in warning


def test_a_server_that_is_loading_is_waited_for() -> None:
    """INFO answers while Redis reads its file, and says so."""

    class Loading:
        """A connection to a server that is loading, which lasts too briefly to be met."""

        def info(self) -> dict[str, Any]:
            """Return what such a server says."""
            return {"loading": 1}

    with pytest.raises(BusyLoadingError):
        server_check.read_facts(Loading())  # type: ignore[arg-type]


def test_what_is_not_a_redis_is_named_as_such() -> None:
    """The remedy is one sentence, whatever the server said."""
    from socketserver import StreamRequestHandler, ThreadingTCPServer
    from threading import Thread

    class Web(StreamRequestHandler):
        """Answers as a web server does."""

        def handle(self) -> None:
            """Answer."""
            self.rfile.readline()
            self.wfile.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Web) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        sentence = refusal(f"redis://127.0.0.1:{server.server_address[1]}")
        server.shutdown()
    assert "does not answer like a Redis server" in sentence
