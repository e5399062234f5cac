"""The numbers that a process counts, in memory that it shares with the process that forked it.

A worker's classifying processes come and go, and its main process is scraped. So they count in memory that outlives
them: a killed process loses nothing, a new one goes on with the numbers of the one before, and nobody waits.
"""

import mmap
import threading
from bisect import bisect_left
from collections.abc import Iterable
from typing import TypeAlias

from worker.contract.telemetry.metrics import OTHER, Metric

PLACES = 2048
"""Number of values. A version of the model takes four of them."""

RESERVED = 256
"""Number of the last places. They are for values without a version, and for the versions that count as `other`."""

SUM = "sum"
"""Stands for the sum of a histogram, where each bucket has its index."""

_KEY_BYTES = 248
_SEPARATOR = "\x1f"
_VERSION_LABELS = {"model", "version"}

Key: TypeAlias = tuple[str, ...]
"""Name of a metric, the values of its labels, and for a histogram the index of a bucket, or `SUM`."""


class Counts:
    """Counts of one process after another. Create them before the first is forked.

    All threads of one process may count. Any process may read at the same time.
    """

    def __init__(self) -> None:
        # The number of places in use, the values, one for what finds no place, and then the keys.
        values = 8 * (1 + PLACES + 1)
        self._memory = mmap.mmap(-1, values + PLACES * _KEY_BYTES)
        self._values = memoryview(self._memory)[:values].cast("d")
        self._keys_at = values
        self._places: dict[Key, int] = {}
        self._buckets: dict[tuple[str, Key, int], tuple[int, int]] = {}  # of a bucket and the sum
        self._guard = threading.Lock()

    def add(self, metric: Metric, *labels: str, amount: float = 1) -> None:
        """Add to a counter."""
        with self._guard:
            self._values[self._place(metric, labels, "")] += amount

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """Set a gauge."""
        with self._guard:
            self._values[self._place(metric, labels, "")] = value

    def clear(self, metric: Metric) -> None:
        """Set a gauge to 0 for all its labels."""
        with self._guard:
            for key in self._read_keys(0):
                if key[0] == metric.name:
                    self._values[self._place(metric, key[1:], "")] = 0

    def observe(self, metric: Metric, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        bucket = bisect_left(metric.buckets, value)
        key = metric.name, labels, bucket
        with self._guard:
            places = self._buckets.get(key)
            if places is None:
                places = self._place(metric, labels, str(bucket)), self._place(metric, labels, SUM)
                self._buckets[key] = places
            self._values[places[0]] += 1
            self._values[places[1]] += value

    def read(self) -> dict[Key, float]:
        """Return all values."""
        keys = self._read_keys(0)
        return dict(zip(keys, self._values[1 : 1 + len(keys)].tolist(), strict=True))

    def _place(self, metric: Metric, labels: Iterable[str], part: str) -> int:
        key = (metric.name, *labels, part) if part else (metric.name, *labels)
        place = self._places.get(key)
        if place is None:
            # The process before may have used more places than this one knows.
            known = len(self._places)
            self._places |= {each: known + 1 + index for index, each in enumerate(self._read_keys(known))}
            place = self._places.get(key) or self._new_place(metric, key)
        return place

    def _new_place(self, metric: Metric, key: Key) -> int:
        used, versions = int(self._values[0]), _VERSION_LABELS.intersection(metric.labels)
        if versions and used >= PLACES - RESERVED:
            names = (OTHER if name in versions else key[1 + index] for index, name in enumerate(metric.labels))
            shorter = (metric.name, *names, *key[1 + len(metric.labels) :])
            if shorter != key:
                return self._places.get(shorter) or self._new_place(metric, shorter)
        if used == PLACES:  # no process has so many labels
            return 1 + PLACES
        content = _SEPARATOR.join(key).encode("utf-8", "replace")[:_KEY_BYTES]
        start = self._keys_at + used * _KEY_BYTES
        self._memory[start : start + _KEY_BYTES] = content.ljust(_KEY_BYTES, b"\0")
        self._values[1 + used] = 0
        self._values[0] = used + 1  # last, because a process may be killed at any moment
        self._places[key] = 1 + used
        return 1 + used

    def _read_keys(self, first: int) -> list[Key]:
        starts = (self._keys_at + place * _KEY_BYTES for place in range(first, int(self._values[0])))
        content = (self._memory[start : start + _KEY_BYTES] for start in starts)
        return [tuple(key.rstrip(b"\0").decode("utf-8", "replace").split(_SEPARATOR)) for key in content]
