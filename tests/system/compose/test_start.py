"""`docker compose up` starts a mill from a fresh clone."""

import re
import shutil
import stat

import pytest

from tests.system.compose.project import PROJECT, docker, inspect, run
from worker.contract.users import RedisUser

SERVICES = ("redis", "worker", "trainer", "scheduler")


@pytest.mark.parametrize("program", ["docker compose", "docker-compose"])
def test_compose_names_the_remedy_for_a_missing_password(compose, program):
    """Each Compose refuses with a message that names `make env`, wherever it looks for the password first."""
    command = program.split()
    if not shutil.which(command[0]) or run([*command, "version"], check=False).returncode:
        pytest.skip(f"{program} is not installed")
    settings = compose.clone / ".env"
    hidden = settings.rename(compose.clone / "hidden")
    try:
        # Compose v2 looks in another order each time.
        refused = [run([*command, "config"], folder=compose.clone, check=False) for _ in range(5)]
    finally:
        hidden.rename(settings)
    for one in refused:
        assert one.returncode != 0
        assert "make env" in one.stderr


@pytest.mark.usefixtures("compose")
def test_redis_does_not_start_without_a_password():
    """The image itself refuses, even if somebody starts it without Compose."""
    refused = run(["docker", "run", "--rm", "digitmill-test-redis:0"], check=False)
    assert refused.returncode != 0
    assert "must hold a password" in refused.stderr


def test_an_env_without_the_password_of_a_user_names_the_remedy(compose):
    """The .env of an older version has only the one password of Redis, until `make env` adds the others."""
    settings = compose.clone / ".env"
    complete = settings.read_text()
    settings.write_text(re.sub(r"^DIGITMILL_(?!REDIS)\w+_PASSWORD=.*$", "", complete, flags=re.MULTILINE))
    try:
        refused = compose("config", check=False)
    finally:
        settings.write_text(complete)
    assert refused.returncode != 0
    assert "Run `make env`, which adds the passwords that .env lacks" in refused.stderr


def test_the_passwords_are_for_their_user_alone(compose):
    """`make env` creates long ones in a file that only its user can read."""
    settings = compose.clone / ".env"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    passwords = re.findall(r"^DIGITMILL_\w+_PASSWORD=(.*)$", settings.read_text(), re.MULTILINE)
    assert len(set(passwords)) == 1 + len(RedisUser)
    assert min(map(len, passwords)) >= 32


@pytest.mark.usefixtures("three_workers")
def test_every_service_becomes_healthy(mill, eventually):
    """Redis, three workers, a trainer and a scheduler start. The producer does not, until its user runs it."""
    containers = [container for service in SERVICES for container in mill.containers(service)]
    assert len(containers) == 6
    assert not mill.containers("producer", every=True)

    def healthy() -> bool:
        return all(inspect(container)["State"]["Health"]["Status"] == "healthy" for container in containers)

    eventually(healthy, seconds=120, what="the health of every container")


def test_no_container_can_do_more_than_it_must(mill):
    """No container is root, gains privileges, writes to its image, takes all memory or fills the disk with logs."""
    for service in SERVICES:
        for container in mill.containers(service):
            host = inspect(container)["HostConfig"]
            assert host["ReadonlyRootfs"]
            assert host["CapDrop"] == ["ALL"]
            assert not host["CapAdd"]
            assert "no-new-privileges:true" in host["SecurityOpt"]
            assert host["Init"]
            assert host["Memory"] > 0
            assert host["NanoCpus"] > 0
            assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}
            assert host["RestartPolicy"]["Name"] == "unless-stopped"
            assert not host["PortBindings"]
            assert docker("exec", container, "id", "-u") != "0"


def test_redis_is_for_the_mill_alone(mill):
    """It refuses clients without the password, stores and never evicts data, and is only in the internal network."""
    [container] = mill.containers("redis")
    unauthorised = docker("exec", "--env", "REDISCLI_AUTH=", container, "redis-cli", "PING", check=False)
    assert "NOAUTH" in unauthorised
    assert mill.redis("CONFIG", "GET", "appendonly").split() == ["appendonly", "yes"]
    assert mill.redis("CONFIG", "GET", "maxmemory-policy").split() == ["maxmemory-policy", "noeviction"]
    assert "requirepass" not in docker("top", container)
    networks = list(inspect(container)["NetworkSettings"]["Networks"])
    assert networks == [f"{PROJECT}_mill"]
    assert inspect(networks[0])["Internal"]
