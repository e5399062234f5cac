"""`docker compose up` from a fresh clone."""

import stat

from tests.system.compose.project import PROJECT, docker, inspect

SERVICES = ("redis", "worker", "trainer", "scheduler")


def test_nothing_starts_without_a_password(compose):
    """Neither Compose nor Redis itself starts without; the message says how to get one."""
    settings = compose.clone / ".env"
    hidden = settings.rename(compose.clone / "hidden")
    try:
        refused = compose("up", check=False)
    finally:
        hidden.rename(settings)
    assert refused.returncode != 0
    assert "make env" in refused.stderr


def test_the_password_is_for_its_user_alone(compose):
    """`make env` makes a long one, readable by its user alone, and never overwrites it."""
    settings = compose.clone / ".env"
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    [line] = [line for line in settings.read_text().splitlines() if line.startswith("DIGITMILL_REDIS_PASSWORD=")]
    assert len(line.partition("=")[2]) >= 32


def test_every_service_gets_healthy(mill, eventually):
    """Redis, three workers, a trainer, a scheduler; the producer is started by nobody but its user."""
    containers = [container for service in SERVICES for container in mill.containers(service)]
    assert len(containers) == 6
    assert not mill.containers("producer", every=True)

    def healthy() -> bool:
        return all(inspect(container)["State"]["Health"]["Status"] == "healthy" for container in containers)

    eventually(healthy, seconds=60, what="the health of every container")


def test_no_container_can_do_more_than_it_must(mill):
    """Nobody is root, gains rights, writes to its image, takes all memory or fills the disk with its log."""
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
    """It refuses whoever has no password, keeps what it is told, and is not to be reached from another network."""
    [container] = mill.containers("redis")
    unauthorised = docker("exec", "--env", "REDISCLI_AUTH=", container, "redis-cli", "PING", check=False)
    assert "NOAUTH" in unauthorised
    assert mill.redis("CONFIG", "GET", "appendonly").split() == ["appendonly", "yes"]
    assert mill.redis("CONFIG", "GET", "maxmemory-policy").split() == ["maxmemory-policy", "noeviction"]
    assert "requirepass" not in docker("top", container)
    networks = list(inspect(container)["NetworkSettings"]["Networks"])
    assert networks == [f"{PROJECT}_mill"]
    assert inspect(networks[0])["Internal"]
