"""Facts about commands that meet a Redis which digitmill cannot use, or must warn of."""

import json
import time
from collections.abc import Iterator

import pytest
import redis
from click.testing import Result

from producer.mill.stack import Stack
from tests.support.command import run_here
from tests.support.running_server import running_server
from worker.contract.connection import connect

COMMANDS = (
    ("status",),
    ("jobs",),
    ("show", "last"),
    ("wait", "last", "--timeout", "5"),
    ("report", "last", "--timeout", "5"),
    ("cancel", "last"),
    ("models", "list"),
    ("teach", "--list"),
    ("train", "--quick"),
    ("submit", "--detach", "--timeout", "5", "{image}"),
    ("submit", "--timeout", "5", "{image}"),
    ("classify", "--timeout", "5", "{image}"),
    ("resume", "last", "--timeout", "5"),
)
"""One command for each way to a mill."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """An embedded server without workers."""
    with Stack(tmp_path_factory.mktemp("server"), 0) as stack:
        yield stack


@pytest.fixture
def client(server: Stack) -> Iterator["redis.Redis"]:
    """A connection to it, which undoes what tests change."""
    client = connect(server.url)
    yield client
    client.replicaof("NO", "ONE")
    client.config_set("maxmemory-policy", "noeviction")
    client.close()


@pytest.fixture
def run(server, tmp_path, png, digits):
    """Run a command with the server, or with another URL."""
    image = tmp_path / "image.png"
    image.write_bytes(png(digits.images[0]))

    def run(*words: str, url: str = server.url) -> Result:
        variables = {"DIGITMILL_REDIS_URL": url, "DIGITMILL_DATA": str(tmp_path)}
        return run_here(*(word.format(image=image) for word in words), **variables)

    return run


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_refuses_a_redis_that_evicts(command, client, run):
    """It says so in one line, and what to do."""
    client.config_set("maxmemory-policy", "volatile-lru")
    ended = run(*command)
    assert (ended.exit_code, ended.stdout) == (3, "")
    [line] = ended.stderr.splitlines()
    assert line.startswith("digitmill: unix://")
    assert line.endswith("(maxmemory-policy volatile-lru). Set its maxmemory-policy to noeviction.")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://user:secret@localhost/name", "its database is not a number"),
        ("redis://:secret@localhost?ssl_cert_reqs=none", "write rediss:// instead of redis://"),
        ("redis://:secret@localhost?foo=bar", "does not know its parameter 'foo'"),
        ("rediss://:secret@localhost?ssl_cert_reqs=CERT_MAYBE", "must be required or none"),
    ],
)
@pytest.mark.parametrize("command", [("status",), ("submit", "{image}")], ids=" ".join)
def test_a_url_that_is_wrong_is_refused_before_anything_connects(command, url, words, run):
    """The password is not shown."""
    ended = run(*command, url=url)
    assert (ended.exit_code, ended.stdout) == (2, "")
    [line] = ended.stderr.splitlines()
    assert words in line
    assert "secret" not in line


@pytest.mark.parametrize("command", [("status",), ("submit", "--timeout", "1", "{image}")], ids=" ".join)
def test_a_replica_is_given_up_within_the_timeout(command, client, run):
    """The error names the master."""
    client.replicaof("192.0.2.1", "7000")
    began = time.monotonic()
    ended = run(*command)
    assert time.monotonic() - began < 30
    assert ended.exit_code == 3
    assert "is a read-only replica (its master is 192.0.2.1:7000). Set" in ended.stderr.splitlines()[-1]


def test_a_submitter_that_may_not_ring_is_refused(server, client, run):
    """But it may look."""
    client.acl_setuser("guest", enabled=True, nopass=True, keys=["digitmill:*"], categories=["+@all"], reset=True)
    url = f"unix://guest:x@{server.server.socket}"
    ended = run("submit", "--detach", "{image}", url=url)
    assert ended.exit_code == 2
    assert "does not let its user guest run LPUSH on digitmill.classify" in ended.stderr
    assert run("jobs", url=url).exit_code == 0


def test_a_redis_without_persistence_is_warned_of_once(tmp_path, run):
    """Each command says it in one line on standard error, and `status` says it in what it prints."""
    with running_server(tmp_path / "server") as url:
        listed, said, as_json = run("jobs", "--json", url=url), run("status", url=url), run("status", "--json", url=url)
    assert (listed.exit_code, json.loads(listed.stdout)["jobs"]) == (0, [])
    [line] = listed.stderr.splitlines()
    assert json.loads(line)["notice"].endswith("Set its appendonly to yes.")
    [line] = [line for line in said.stdout.splitlines() if line.startswith("warning ")]
    assert line.endswith("Set its appendonly to yes.")
    assert "appendonly" not in said.stderr
    [warning] = json.loads(as_json.stdout)["warnings"]
    assert warning.endswith("Set its appendonly to yes.")


def test_a_sound_redis_is_not_warned_of(client, run):
    """Nothing is said, and the JSON has an empty list."""
    assert client.ping()
    assert run("jobs").stderr == ""
    said = run("status", "--json")
    assert json.loads(said.stdout)["warnings"] == []
