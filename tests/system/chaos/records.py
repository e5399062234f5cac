"""Somebody else writes to Redis, or Redis has settings that digitmill must refuse."""

import json
from collections.abc import Callable
from typing import Any

from tests.support.garbage import harmless, refused
from tests.support.processes import children
from tests.system.chaos.trial import Fault, Trial
from worker.contract.ledger import JobRecord, Part, keys
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.validation.bounds import MAX_BATCH_BYTES

NAMES = ("../../x", "261125-101112-planted1", "\x1b]0;x\x07", "x" * 5000)
COMMANDS = ("jobs", "status", "show last", "models list", "teach --list", "jobs --json", "status --json")


def _garbage_messages(trial: Trial) -> None:
    kinds = [*refused().values(), *harmless().values()]
    before = _process_ids(trial)
    trial.submit()
    for _ in range(2):
        trial.await_share(0.0, 0.6)
        trial.rig.client.lpush(CLASSIFY_QUEUE, *trial.random.sample(kinds, 50))
        trial.rig.client.rpush(CLASSIFY_QUEUE, *trial.random.sample(kinds, 50))
    trial.end_client()
    trial.expect(_process_ids(trial) == before, "a message has cost a process of a worker")


def _process_ids(trial: Trial) -> set[int]:
    return {each.pid for worker in trial.rig.workers() for each in (worker, *children(worker))}


def _planted_records(trial: Trial) -> None:
    client, name = trial.rig.client, trial.random.choice(NAMES)
    trial.submit()
    trial.await_share(0.0, 0.4)
    record = JobRecord("/etc", "baseline-1", "host-1", {"path": "/etc/passwd"}, "/etc/passwd").to_json()
    garbage = trial.random.choice([b"garbage", b"9" * 5000, b"\xff\xfe", b"{}", b"[" * 5000, record])
    newest = trial.rig.client.time()[0] * 1000 + 10_000
    client.hset(keys.job(name), mapping={"record": record, "state": "running", "images": 1})
    client.hset(keys.job("261125-101112-garbage1"), mapping={"record": garbage, "state": garbage})
    client.zadd(keys.JOBS, {name: newest, "261125-101112-garbage1": newest + 1})
    client.zadd(keys.WORKERS, {name: newest - 10_000})
    client.hset(keys.worker(name), mapping={"seen": garbage, "ready": garbage, "model": name})
    for line in (*trial.random.sample(COMMANDS, 3), f"resume {name[:100]}", f"report {name[:100]} --timeout 1"):
        _runs(trial, line.split(" "))
    trial.expect(not (trial.folder.parent / "x").exists(), "a name has led out of its folder")
    client.delete(*(key(each) for key in (keys.job, keys.worker) for each in (name, "261125-101112-garbage1")))
    client.zrem(keys.JOBS, name, "261125-101112-garbage1")
    client.zrem(keys.WORKERS, name)


def _runs(trial: Trial, arguments: list[str]) -> None:
    """Run a command, which may end with any code but that of a bug."""
    process = trial.command.start(*arguments)
    said = "".join(process.communicate(timeout=60))
    right = process.returncode in range(6) and "Traceback" not in said and "\x1b]0" not in said
    trial.expect(right, f"`{' '.join(arguments)!r}` ended with {process.returncode}: {said[-500:]!r}")


def _other_types(trial: Trial) -> None:
    workers = trial.rig.ledger.workers()  # before their list is harmed
    trial.submit()
    for _ in range(4):
        trial.await_share(0.0, 0.8)
        part = trial.rig.waiting()
        worker = trial.random.choice(workers)
        targets = [keys.OPEN, keys.WORKERS, keys.worker(worker.name), keys.JOBS, CLASSIFY_QUEUE]
        if part and trial.runs:
            targets += [part.key, keys.manifest(part.job), keys.results(part.job), keys.job(part.job)]
        key, write = trial.random.choice(targets), trial.random.choice(OTHER_TYPES)
        trial.rig.client.delete(key)
        write(trial.rig.client, key)
        trial.pause(0.1, 0.8)


OTHER_TYPES: tuple[Callable[[Any, str], Any], ...] = (
    lambda client, key: client.set(key, "x"),
    lambda client, key: client.sadd(key, "x"),
    lambda client, key: client.xadd(key, {"x": "y"}),
    lambda client, key: client.setbit(key, 7, 1),
)
"""Types that digitmill stores nowhere among the keys of jobs and workers."""


def _oversized(trial: Trial) -> None:
    client = trial.rig.client
    trial.submit()
    trial.await_share(0.0, 0.4)
    for number in range(2):
        part = Part("261125-101112-planted1", number, 0, trial.random.choice([1, 8192]))
        body = {"payload": bytes(MAX_BATCH_BYTES + 1), "attempts": trial.random.randint(0, 5), "lease": 0, "limit": 3}
        client.hset(part.key, mapping=body)
        client.zadd(keys.OPEN, {part.member: 0})
    client.hset(keys.results(trial.job), "0.0.9999", bytes(40_000_000))
    client.hset(keys.manifest(trial.job), "999999", bytes(40_000_000))


def _unsuitable(trial: Trial) -> None:
    client = trial.rig.client
    name, wrong, says = trial.random.choice(
        [
            ("maxmemory-policy", "allkeys-lru", "noeviction"),
            ("maxmemory-policy", "volatile-ttl", "noeviction"),
            ("replica", "", "replica"),
        ]
    )
    trial.submit()
    trial.await_share(0.0, 0.5)
    if name == "replica":
        client.replicaof("192.0.2.1", "7000")
    else:
        client.config_set(name, wrong)
    try:
        image = next(trial.works.files.path.iterdir())
        trial.refused("submit", image, "--timeout", "1", "--out", trial.folder / "other", codes=(3,), says=says)
        _runs(trial, ["status"])
    finally:
        if name == "replica":
            client.replicaof("NO", "ONE")
        else:
            client.config_set(name, "noeviction")


def _stray_parts(trial: Trial) -> None:
    trial.submit()
    trial.await_share(0.0, 0.4)
    members = ["../../x/0.0.1", "garbage", f"{trial.job}/999999.0.8", f"{trial.job}/0.8.0", json.dumps({}), "x" * 9999]
    trial.rig.client.zadd(keys.OPEN, dict.fromkeys(members, 0))


FAULTS = (
    Fault("garbage-messages", _garbage_messages),
    Fault("planted-records", _planted_records),
    Fault("keys-of-other-types", _other_types),
    Fault("oversized-records", _oversized),
    Fault("stray-parts", _stray_parts),
    Fault("unsuitable-redis", _unsuitable),
)
