"""In containers, each service has its own Redis user, with the rights of its role alone."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.system.compose.project import PROJECT, REPOSITORY, base_image, docker, inspect, run
from worker.contract.users import RedisUser

SERVICES = {
    "worker": RedisUser.WORKER,
    "trainer": RedisUser.TRAINER,
    "scheduler": RedisUser.SCHEDULER,
}


@pytest.fixture(params=[base_image("REDIS"), "redis:8.0.4-bookworm"])
def server(request) -> Iterator[str]:
    """A Redis of a given version, on this machine alone. The URL is that of its owner."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    name = f"{PROJECT}-server"
    words = ["redis-server", "--port", port, "--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""]
    started = run(
        ["docker", "run", "--detach", "--rm", "--name", name, "--network", "host", request.param, *words], check=False
    )
    if started.returncode:
        pytest.skip(f"{request.param} does not run here: {started.stderr}")
    yield f"redis://127.0.0.1:{port}/0"
    docker("rm", "--force", name)


@pytest.mark.timeout(600)
def test_the_users_have_the_rights_that_they_need_on_every_redis(server):
    """The tests of a mill with users pass on Redis 7 and 8, not only on the server of this machine."""
    tests = ["-m", "pytest", "-k", server, "tests/system/test_redis_users.py"]
    environment = {**os.environ, "DIGITMILL_TEST_SERVERS": server}
    done = subprocess.run(
        [sys.executable, *tests], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.usefixtures("three_workers")
def test_each_service_has_its_own_user_and_lacks_no_right(mill, submit, folder_of):
    """No service is the owner of Redis, and Redis refuses nothing that a service needs."""
    submit(folder_of(20), "users").result()
    clients = mill.redis("CLIENT", "LIST").splitlines()
    users = {
        found[1] for client in clients if "cmd=client" not in client and (found := re.search(r"user=(\S+)", client))
    }
    assert set(SERVICES.values()) <= users <= {*RedisUser}
    refused = re.findall(r"^username\n(.*)$", mill.redis("ACL", "LOG"), re.MULTILINE)
    assert not {*RedisUser} & {*refused}


def test_each_service_knows_its_own_password_alone(mill):
    """A worker that is taken over knows no password that may do more."""
    passwords = dict(re.findall(r"^(DIGITMILL_\w+_PASSWORD)=(\w+)$", (mill.clone / ".env").read_text(), re.MULTILINE))
    for service, user in SERVICES.items():
        for container in mill.containers(service):
            environment = " ".join(inspect(container)["Config"]["Env"])
            assert [name for name, password in passwords.items() if password in environment] == [user.password_variable]


def test_a_producer_may_not_do_what_an_admin_may(mill):
    """`run producer` is refused with a sentence that names `run admin`, which works."""
    done = mill("run", "--rm", "-T", "producer", "train", "--cancel", check=False)
    assert done.returncode == 2
    assert f"does not let its user {RedisUser.SUBMITTER} do this" in done.stderr
    assert "docker compose run --rm admin" in done.stderr
    done = mill("run", "--rm", "-T", "admin", "train", "--cancel", check=False)
    assert "is cancelled" in done.stdout or "nothing to cancel" in done.stderr
