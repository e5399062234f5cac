"""Sentinels name another master in the middle of a job. Each image has exactly one answer, even if a replica lagged."""

import numpy as np
import pytest

from digitmill import Client
from producer.mill.finding import open_mill
from producer.sources import mnist_source
from tests.support.command import run_here
from tests.support.sentinels import highly_available
from worker.contract.ledger import JobState, keys
from worker.roles import Role
from worker.server_wait import await_server

REPEAT = 6


@pytest.fixture(scope="module")
def watched(tmp_path_factory, start_mill_in):
    """A highly available Redis, with a mill of two workers that know only the Sentinels."""
    folder = tmp_path_factory.mktemp("watched")
    with (
        highly_available(folder) as servers,
        start_mill_in(folder, 2, redis_url=servers.url, DIGITMILL_LEASE_SECONDS="2") as mill,
    ):
        yield servers, mill


@pytest.fixture
def begin(watched, begin_job, digits, eventually):
    """Start a job, and wait until some of its answers are there."""
    _, mill = watched

    def start():
        source = mnist_source(digits.images[:2000], digits.labels[:2000], repeat=REPEAT)
        running = begin_job(mill, source, batch_size=40)
        ledger = mill.connection.ledger
        eventually(lambda: ledger.jobs(latest=1)[0].answered > 500, what="some answers")
        return running, ledger.jobs(latest=1)[0].identifier

    return start


def assert_complete(mill, results, job, undisturbed):
    """Check that a job has ended with the answers of a quiet run."""
    np.testing.assert_array_equal(results.digits, np.tile(undisturbed[:2000], REPEAT))
    status = mill.connection.ledger.job(job)
    assert (status.state, status.answered, status.open) == (JobState.DONE, len(results), 0)


@pytest.mark.slow
def test_a_killed_master_whose_replica_lagged_costs_no_answer(watched, begin, undisturbed, eventually):
    """The replica takes over without what the master told it last, and the client sends that again.

    A command that begins meanwhile waits for the new master.
    """
    servers, mill = watched
    master, replica = servers.servers
    running, job = begin()
    servers.ask(replica, "CONFIG", "SET", "masteruser", "nobody", "masterauth", "wrong")
    servers.ask(master, "CLIENT", "KILL", "TYPE", "replica")
    kept = int(servers.ask(replica, "HGET", keys.job(job), "answered"))
    eventually(lambda: mill.connection.ledger.job(job).answered > kept + 200, what="answers that only the master has")
    assert kept == int(servers.ask(replica, "HGET", keys.job(job), "answered"))
    servers.kill(master)
    begun_meanwhile = open_mill(servers.url, mill.settings, timeout=0.1, command_timeout=60)
    assert begun_meanwhile.client.info("replication")["role"] == "master"
    eventually(lambda: servers.master == replica, what="another master")
    assert_complete(mill, running.result(timeout=90), job, undisturbed)
    servers.ask(replica, "CONFIG", "SET", "masteruser", "", "masterauth", "")
    servers.start_server(master, replica)


@pytest.mark.slow
def test_a_master_that_is_demoted_in_order_costs_no_answer(watched, begin, undisturbed, eventually):
    """A job and single images go on with the other server, without a connection that stays with the old one."""
    servers, mill = watched
    with Client(servers.url) as client:
        first = client.classify(np.zeros((28, 28), np.uint8))
        running, job = begin()
        before = servers.master
        eventually(servers.fail_over, what="a failover that the Sentinel accepts")
        eventually(lambda: servers.master != before, what="another master")
        assert client.classify(np.zeros((28, 28), np.uint8)) == first
        assert_complete(mill, running.result(timeout=90), job, undisturbed)


@pytest.mark.parametrize("role", list(Role))
def test_every_role_finds_the_master(watched, role):
    """The check at its start runs on the master, and not on a Sentinel or a replica."""
    servers, _ = watched
    await_server(role, servers.url)


def test_one_sentinel_that_answers_is_enough(watched):
    """Sentinels that are down cost a moment, and a command names what it uses."""
    servers, _ = watched
    url = f"sentinel://127.0.0.1:1,{servers.url.removeprefix('sentinel://')}"
    ended = run_here("status", "--json", DIGITMILL_REDIS_URL=url)
    assert '"role": "master"' in ended.stdout


@pytest.mark.parametrize(
    ("hosts", "path", "words"),
    [
        ("{sentinel}", "other", "names a master that the Sentinel at {sentinel} does not watch"),
        ("{server}", "mymaster", "names {server}, which is not a Sentinel"),
        ("127.0.0.1:1", "mymaster", "none of its Sentinels can be asked"),
    ],
)
def test_wrong_sentinels_are_named_with_the_remedy(watched, hosts, path, words):
    """A command ends within its first timeout, and says what to correct."""
    servers, _ = watched
    places = {"sentinel": f"127.0.0.1:{servers.sentinels[0]}", "server": f"127.0.0.1:{servers.servers[1]}"}
    ended = run_here("jobs", DIGITMILL_REDIS_URL=f"sentinel://{hosts.format(**places)}/{path}")
    assert ended.exit_code == 3
    assert words.format(**places) in ended.stderr
