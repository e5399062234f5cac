"""Facts about Redis over TLS: clients and workers alike verify who it is before they send a password."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import RedisError

from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job, gather_job
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from producer.sources import mnist_source
from tests.support.tls import Authority, TlsProxy, tls_proxy
from worker.contract.connection import connect, is_transient
from worker.contract.doorbell import Doorbell
from worker.contract.errors import Unreachable
from worker.contract.ledger import Part
from worker.roles import Role
from worker.settings import Settings

PART = Part("251125-101112-abc", 0, 0, 2)
SECRET = "s3cr3t@/"  # noqa: S105  of this test
LOGIN = "tester:s3cr3t%40%2F"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The authority that signed the certificate."""
    return Authority(tmp_path_factory.mktemp("tls") / "right")


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that has nothing to do with it."""
    return Authority(tmp_path_factory.mktemp("tls") / "wrong")


@pytest.fixture
def proxy(server: Stack, client: "redis.Redis", authority: Authority) -> Iterator[TlsProxy]:
    """The server behind TLS, with a user who has a password."""
    client.acl_setuser(
        "tester", enabled=True, passwords=[f"+{SECRET}"], keys=["*"], channels=["*"], categories=["+@all"], reset=True
    )
    with tls_proxy(server.server.socket, authority.context("localhost")) as running:
        yield running
    client.acl_deluser("tester")


def settings(port: int, authority: Authority | None, parameters: str = "") -> Settings:
    """Return the settings of a process that connects to a port."""
    ca = {"DIGITMILL_REDIS_CA": str(authority.file)} if authority else {}
    return Settings.from_environment({"DIGITMILL_REDIS_URL": f"rediss://{LOGIN}@localhost:{port}/0{parameters}", **ca})


def assert_refused(given: Settings, reason: str) -> None:
    """Check that a client says in one sentence why it does not trust the server, and that Celery does not either."""
    with pytest.raises(Unreachable, match="DIGITMILL_REDIS_CA") as caught:
        open_mill(given.server_url, given)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)
    assert not Doorbell(connect(given.server_url)).ring(PART)


def worker_ends(given: Settings, tmp_path: Path) -> str:
    """Run a worker that cannot start. Return what it says."""
    variables = {**os.environ, "DIGITMILL_REDIS_URL": given.server_url, "DIGITMILL_DATA": str(tmp_path)}
    ended = subprocess.run(
        Role.WORKER.command(), env=variables, capture_output=True, text=True, timeout=100, check=False
    )
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_with_the_right_authority_a_job_is_answered(
    proxy: TlsProxy, authority: Authority, digits: Any, tmp_path: Path, eventually: Any
) -> None:
    """The client, the worker and the doorbells between them use TLS."""
    given = settings(proxy.port, authority)
    variables = {
        **os.environ,
        "DIGITMILL_REDIS_URL": f"rediss://{LOGIN}@localhost:{proxy.port}/0",
        "DIGITMILL_REDIS_CA": str(authority.file),
        "DIGITMILL_DATA": str(tmp_path),
    }
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(Role.WORKER.command(), env=variables, stdout=log, stderr=log)
    try:
        connection = open_mill(given.server_url, given)
        eventually(lambda: [each for each in connection.ledger.workers() if each.ready], seconds=60, what="a worker")
        source, options = mnist_source(digits.images[:20], digits.labels[:20]), SubmitOptions(path="test")
        job = create_job(connection, options, source.description, given, detached=False)
        results = gather_job(connection, job, options, source, given, timeout=60).results
        assert len(results.names) == 20
        assert not results.failures
    finally:
        worker.kill()
        worker.wait()
    assert b"BRPOP" in proxy.received
    log_text = (tmp_path / "log").read_text()
    assert "Traceback" not in log_text
    assert "s3cr3t" not in log_text


def test_a_wrong_authority_is_refused_and_gets_no_password(
    proxy: TlsProxy, other_authority: Authority, tmp_path: Path
) -> None:
    """Nothing at all is sent after the handshake: neither by clients and their doorbells, nor by workers."""
    given = settings(proxy.port, other_authority)
    assert_refused(given, "unable to get local issuer certificate")
    assert "DIGITMILL_REDIS_CA" in worker_ends(given, tmp_path)
    assert proxy.received == b""


def test_an_unknown_authority_is_refused_by_default(proxy: TlsProxy) -> None:
    """That of a certificate which somebody signed who is unknown to the system."""
    assert_refused(settings(proxy.port, None), "unable to get local issuer certificate")
    assert proxy.received == b""


def test_a_certificate_of_another_host_is_refused(
    server: Stack, client: "redis.Redis", authority: Authority, tmp_path: Path
) -> None:
    """Even if the right authority has signed it. Otherwise each host of an organisation could be any other."""
    assert client.ping()
    with tls_proxy(server.server.socket, authority.context("elsewhere.example")) as elsewhere:
        given = settings(elsewhere.port, authority)
        assert_refused(given, "Hostname mismatch")
        assert "Hostname mismatch" in worker_ends(given, tmp_path)
        assert elsewhere.received == b""


@pytest.mark.parametrize("parameters", ["?ssl_cert_reqs=none", "?ssl_cert_reqs=CERT_NONE"])
def test_whoever_asks_for_it_goes_without_verification(proxy: TlsProxy, parameters: str) -> None:
    """It works the same for clients and in Celery, and in the spelling of either."""
    given = settings(proxy.port, None, parameters)
    assert open_mill(given.server_url, given).client.ping()
    assert Doorbell(connect(given.server_url)).ring(PART)


def test_the_host_name_alone_can_go_unverified(server: Stack, client: "redis.Redis", authority: Authority) -> None:
    """For a Redis that is reached by another name than that of its certificate."""
    client.acl_setuser("tester", enabled=True, passwords=[f"+{SECRET}"], keys=["*"], categories=["+@all"], reset=True)
    with tls_proxy(server.server.socket, authority.context("elsewhere.example")) as elsewhere:
        given = settings(elsewhere.port, authority, "?ssl_check_hostname=false")
        assert connect(given.server_url).ping()
        assert Doorbell(connect(given.server_url)).ring(PART)


def test_a_redis_without_tls_is_named_as_such() -> None:
    """The remedy is to write redis://. Waiting would not help."""
    from socketserver import StreamRequestHandler, ThreadingTCPServer
    from threading import Thread

    class Plain(StreamRequestHandler):
        """Answers a greeting of TLS as a Redis does that does not speak it."""

        def handle(self) -> None:
            """Answer."""
            self.connection.recv(1000)
            self.wfile.write(b"-ERR Protocol error: unauthenticated multibulk length\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Plain) as plain:
        Thread(target=plain.serve_forever, daemon=True).start()
        url = f"rediss://127.0.0.1:{plain.server_address[1]}"
        with pytest.raises(RedisError) as fault:
            connect(url).ping()
        assert not is_transient(fault.value)
        with pytest.raises(Unreachable, match="Write redis:// if this Redis does not use TLS"):
            open_mill(url, Settings.from_environment({}))
        plain.shutdown()
