"""Redis forgets what it was told, runs out of memory or disk, or has another clock."""

import resource
import time
from collections.abc import Callable

from tests.support.dead_worker import claim_in_the_future
from tests.support.harms import HARMS
from tests.support.waiting import eventually
from tests.system.chaos.rig import LEASE_SECONDS
from tests.system.chaos.trial import Fault, Trial
from worker.contract.ledger import Part


def _lose_tail(least: int, most: int) -> Callable[[Trial], None]:
    def run(trial: Trial) -> None:
        trial.submit(trial.works.array)
        for _ in range(2):
            trial.await_share(0.05, 0.95)
            trial.rig.server.lose_tail(trial.random.randint(least, most))

    return run


def _lose_tail_and_client(trial: Trial) -> None:
    trial.submit(trial.works.array)
    trial.await_share(0.1, 0.9)
    trial.stop_client()
    trial.rig.server.lose_tail(int(10 ** trial.random.uniform(2, 6.5)))
    if trial.client.returncode:
        trial.resume()


def _forget(what: str) -> Callable[[Trial], None]:
    def run(trial: Trial) -> None:
        trial.submit()
        for _ in range(2):
            trial.await_share(0.05, 0.8)
            part = _waiting(trial)
            if part and trial.runs:
                HARMS[what](trial.rig.client, part)
            trial.pause(0.0, 1.0)

    return run


def _waiting(trial: Trial) -> Part | None:
    """Return a part that waits, or None if none does."""
    try:
        found: Part | None = eventually(trial.rig.waiting, seconds=1, what="a part")
    except TimeoutError:
        return None
    return found


def _set_clock_back(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.05, 0.5)
    part = _waiting(trial)
    if part:
        ahead = trial.random.choice([60_000, 3_600_000, 86_400_000])
        claim_in_the_future(trial.rig.client, part, lease_seconds=LEASE_SECONDS, ahead_ms=ahead)


def _fill_memory(trial: Trial) -> None:
    client = trial.rig.client
    trial.submit(trial.works.array)
    trial.await_share(0.0, 0.5)
    client.config_set("maxmemory", client.info("memory")["used_memory"] + trial.random.randint(-200_000, 400_000))
    trial.pause(1.0, 4.0)
    client.config_set("maxmemory", "1gb")


def _fill_disk(policy: str) -> Callable[[Trial], None]:
    def run(trial: Trial) -> None:
        server = trial.rig.server
        trial.rig.client.config_set("appendfsync", policy)
        trial.submit(trial.works.array)
        trial.await_share(0.0, 0.5)
        largest = max(path.stat().st_size for path in trial.rig.folder.rglob("*.aof"))
        _, most = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (largest + 1000, most))
        until = time.monotonic() + trial.random.uniform(1.0, 4.0)
        while time.monotonic() < until and server.process.poll() is None:
            time.sleep(0.05)
        if server.process.poll() is None:
            resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (most, most))
        else:
            server.start()  # with `always` it ends when it cannot write

    return run


FAULTS = (
    Fault("log-tail-lost-100-B", _lose_tail(1, 100)),
    Fault("log-tail-lost-3-kB", _lose_tail(100, 3000)),
    Fault("log-tail-lost-1-MB", _lose_tail(3000, 1_000_000)),
    Fault("log-tail-lost-and-client-killed", _lose_tail_and_client),
    *(Fault(f"lost-{what}".replace(",", "").replace(" ", "-"), _forget(what)) for what in HARMS),
    Fault("clock-set-back", _set_clock_back),
    Fault("memory-full", _fill_memory),
    Fault("disk-full-everysec", _fill_disk("everysec")),
    Fault("disk-full-always", _fill_disk("always")),
)
