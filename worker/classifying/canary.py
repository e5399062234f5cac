"""Observes versions in service: counts their answers, and compares a sample of a new one's with the previous one's."""

import logging
import threading
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.inference.predictions import Predictions
from model.inference.review import REVIEW_BELOW
from model.inference.variants import Inputs, read_inputs
from worker.classifying.faults import VersionFaults
from worker.classifying.models import LoadedModel, Models
from worker.contract.drift import AnswerDays, DayCounts
from worker.contract.registry import Registry, ServiceCounts

SHADOW_EVERY = 8
"""The previous version also classifies one in this many of the images that a canary answers."""

_log = logging.getLogger(__name__)


class _Shadow(NamedTuple):
    """The canary, and the previous version, or None if that cannot be loaded."""

    version: str
    before: LoadedModel | None


MAX_SEEN = 256
"""Maximum number of batches whose answers are noted before they are counted."""

_Seen: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.bool_]]
"""Digits, confidences and whether the picture gives a reason for doubt, of the images of a batch that were read."""


class CanaryMonitor:
    """Observes what one classifying process answers, and rolls back a canary that fails.

    The thread that classifies calls `observe`. Another thread calls `report`, which talks to Redis, so no batch waits
    for that. Counts that a process has not reported are lost with it, and a batch that is done twice counts twice.
    The shares of errors and doubts stay accurate enough.

    Args:
        models: Models of this process.
        registry: Registry that receives the counts, and in which a failing version is rolled back.
        days: What receives the counts of each day.
        name: Name of this worker, for the registry's history.
    """

    def __init__(self, models: Models, registry: Registry, days: AnswerDays, *, name: str) -> None:
        self._models = models
        self._registry = registry
        self._answer_days = days
        self._notes = models.notes
        self.faults = VersionFaults(registry, name=name)
        self._guard = threading.Lock()
        self._counts: dict[str, ServiceCounts] = {}
        self._days: dict[str, DayCounts] = {}
        # Counting a single image would take half as long as classifying it, so answers are counted together.
        self._seen: dict[str, list[_Seen]] = {}
        self._shadow: _Shadow | None = None

    def observe(
        self,
        version: str,
        inputs: Inputs,
        predictions: Predictions,
        failed: Iterable[int],
        *,
        doubted: Iterable[int] = (),
        compare: bool = True,
    ) -> None:
        """Count what a version answered. If it is the canary, compare a sample with the previous version.

        Args:
            version: Version that answered.
            inputs: Images that it was given.
            predictions: Its answers to the n images, in the same order.
            failed: Indices of images that could not be decoded. They are not counted.
            doubted: Indices of images whose picture gives a reason for doubt.
            compare: Whether the previous version may classify some of them too. It never may if these images have
                ended a process before.
        """
        kept: slice | NDArray[np.intp] = slice(None)
        doubts = np.zeros(len(predictions), bool)
        if doubted := [*doubted]:
            doubts[doubted] = True
        if failed := [*failed]:
            kept = np.delete(np.arange(len(predictions)), failed)
        with self._guard:
            seen = self._seen.setdefault(version, [])
            seen.append((predictions.digits[kept], predictions.confidences[kept], doubts[kept]))
            if len(seen) >= MAX_SEEN:
                self._count_seen()
        shadow = self._shadow
        if compare and shadow and shadow.before and shadow.version == version:
            rows = np.arange(len(predictions))[kept][::SHADOW_EVERY]
            self._compare(version, shadow.before, inputs, predictions, rows)

    @property
    def is_watching(self) -> bool:
        """Whether a version is compared with the one before."""
        return self._shadow is not None

    def observe_error(self, version: str, images: int) -> None:
        """Count images on which a version failed.

        Args:
            version: Version that failed.
            images: Number of images that it was given and did not answer.
        """
        self._count(version, ServiceCounts(errors=images))

    def report(self) -> None:
        """Add the counts to the registry's, and roll the live version back if it is a canary that fails.

        Raises:
            redis.exceptions.RedisError: The registry does not answer. The counts are lost.
        """
        with self._guard:
            self._count_seen()
            unreported, self._counts = self._counts, {}
            unreported_days, self._days = self._days, {}
        for version, counts in unreported.items():
            self._registry.count(version, counts)
        for version, today in unreported_days.items():
            self._answer_days.count(version, today)
        canary = self._registry.canary()
        if canary is None:
            self._shadow = None
            return
        counts = self._registry.service_counts(canary.version)
        if counts.passed:
            self._shadow = None
        elif fault := counts.fault():
            self._shadow = None
            self.faults.withdraw(canary.version, fault, by="canary")
        elif self._shadow is None or self._shadow.version != canary.version:
            self._shadow = self._load(canary.version, canary.before)

    def _count_seen(self) -> None:
        """Count the answers that were noted. The guard is held."""
        seen, self._seen = self._seen, {}
        for version, answers in seen.items():
            digits, confidences, doubted = map(np.concatenate, zip(*answers, strict=True))
            self._days[version] = self._days.get(version, DayCounts()) + DayCounts.of(digits, confidences, doubted)
            counts = ServiceCounts(
                images=len(confidences),
                review=int((confidences < REVIEW_BELOW).sum()),
                confidence=round(1000 * float(confidences.sum(dtype=np.float64))),
            )
            self._counts[version] = self._counts.get(version, ServiceCounts()) + counts

    def _count(self, version: str, counts: ServiceCounts) -> None:
        with self._guard:
            self._counts[version] = self._counts.get(version, ServiceCounts()) + counts

    def _compare(
        self,
        version: str,
        loaded: LoadedModel,
        inputs: Inputs,
        predictions: Predictions,
        rows: NDArray[np.intp],
    ) -> None:
        try:
            with self._notes.classifying(loaded.version):
                before = read_inputs(loaded.classifier.classify, inputs.at(rows)).predictions
        except Exception:
            _log.exception("the version before %s failed on a sample of its images; the comparison ends", version)
            self._shadow = _Shadow(version, None)
            return
        # A style that was just taught is read differently from now on. But the version before was not sure of it.
        sure = before.confidences >= REVIEW_BELOW
        self._count(
            version,
            ServiceCounts(
                shadowed=len(rows),
                disagreed=int((sure & (before.digits != predictions.digits[rows])).sum()),
                review_here=int((predictions.confidences[rows] < REVIEW_BELOW).sum()),
                review_before=int((~sure).sum()),
            ),
        )

    def _load(self, version: str, before: str) -> _Shadow:
        try:
            return _Shadow(version, self._models(before))
        except ModelError as fault:
            _log.warning("cannot compare %s with %s: %s", version, before, fault)
            return _Shadow(version, None)
