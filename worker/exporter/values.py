"""The values of the exporter's metrics, from one look at the mill."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from worker.contract.connection import explain
from worker.contract.gate import GateState
from worker.contract.observation import Observation, ServerState, observe
from worker.contract.telemetry import metrics as m
from worker.contract.telemetry.counts import Key
from worker.contract.training import TrainingState

if TYPE_CHECKING:
    import redis

READY, STARTING, SILENT = "ready", "starting", "silent"
"""States of a worker. A silent one has not been heard of for seconds, and is about to leave the list."""

_log = logging.getLogger(__name__)


class MillValues:
    """Looks at a mill.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._fault = ""

    def collect(self) -> Iterator[tuple[Key, float]]:
        """Return the values of the metrics. If Redis is away, return that alone, and log it once."""
        try:
            seen = observe(self._client)
        except RedisError as fault:
            reason = explain(fault)
            if reason != self._fault:
                _log.warning("%s", reason)
            self._fault = reason
            yield (m.REDIS_UP.name,), 0
            return
        self._fault = ""
        yield (m.REDIS_UP.name,), 1
        yield (m.DAMAGED.name,), len(seen.damaged)
        yield from _server(seen.server)
        yield from _queue(seen)
        yield from _processes(seen)
        yield from _models(seen)


def _server(server: ServerState) -> Iterator[tuple[Key, float]]:
    yield (m.REDIS_MEMORY.name,), server.memory_bytes
    yield (m.REDIS_MEMORY_LIMIT.name,), server.memory_limit_bytes
    yield (m.REDIS_CLIENTS.name,), server.clients
    yield (m.REDIS_WRITES.name,), int(server.append_only_ok and server.snapshot_ok)
    yield (m.REDIS_FORK.name,), server.last_fork_seconds


def _queue(seen: Observation) -> Iterator[tuple[Key, float]]:
    for state in GateState:
        yield (m.GATE.name, state), int(seen.gate.state is state)
    queue = seen.queue
    if queue is None:
        return
    yield (m.QUEUE.name, "waiting", m.JOBS), queue.waiting
    yield (m.QUEUE.name, "working", m.JOBS), queue.leased
    yield (m.QUEUE.name, "answered", m.JOBS), queue.unacknowledged
    for lane, waiting in queue.calls.items():
        yield (m.QUEUE.name, "waiting", lane), waiting
    yield (m.QUEUE_IMAGES.name, "waiting"), queue.waiting_images
    yield (m.QUEUE_IMAGES.name, "working"), queue.leased_images
    yield (m.OLDEST.name,), queue.oldest_seconds
    yield (m.RUNNING_JOBS.name,), queue.running_jobs


def _processes(seen: Observation) -> Iterator[tuple[Key, float]]:
    states = dict.fromkeys((READY, STARTING, SILENT), 0)
    behind = 0
    for worker in seen.workers:
        silent = worker.is_silent(seen.now)
        states[SILENT if silent else READY if worker.ready else STARTING] += 1
        if not silent and worker.ready and seen.aliases and worker.model != seen.aliases.live:
            behind += 1
    for state, number in states.items():
        yield (m.WORKERS.name, state), number
    yield (m.BEHIND.name,), behind
    yield (m.TRAINERS.name,), len(seen.trainers)
    yield (m.TRAINER_FAULTS.name,), len(seen.trainer_faults)
    if seen.schedule is not None:
        yield (m.SCHEDULERS.name,), len(seen.schedule.schedulers)


def _models(seen: Observation) -> Iterator[tuple[Key, float]]:
    if seen.aliases:
        yield (m.LIVE.name, seen.aliases.live), 1
        if seen.last_day and seen.last_day.images:
            yield (m.REVIEW_RATIO.name, seen.aliases.live), seen.last_day.review / seen.last_day.images
    yield (m.DRIFT.name,), int(seen.drift is not None)
    for state in TrainingState:
        yield (m.TRAINING_STATE.name, state), int(seen.training is not None and seen.training.state is state)
