"""Watching a new version in service: what it answers is counted, and a sample of it shown to the version before."""

import logging
import threading
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.inference.classifier import Classifier, Predictions
from model.inference.review import REVIEW_BELOW
from worker.classifying.models import Loaded, Models
from worker.contract.registry import Registry, ServiceCounts

SHADOW_EVERY = 8
"""Of the images that a watched version answers, one in so many is shown to the version before too."""

_log = logging.getLogger(__name__)


class _Shadow(NamedTuple):
    """Which version is watched, and the classifier of the one before, if that can be loaded."""

    version: str
    before: Classifier | None


class CanaryMonitor:
    """What one classifying process sees of its versions.

    One thread classifies and tells of it; another passes the counts on, and judges: so no batch waits for that. Counts
    that a process has not passed on go with it, and a batch done twice counts twice; for shares that is good enough.

    Args:
        models: those of this process.
        registry: where counts go, and where a version that fails is rolled back.
        name: the worker's, for the history.
    """

    def __init__(self, models: Models, registry: Registry, *, name: str) -> None:
        self._models = models
        self._registry = registry
        self._worker = name
        self._guard = threading.Lock()
        self._counts: dict[str, ServiceCounts] = {}
        self._shadow: _Shadow | None = None

    def classify(self, model: Loaded, images: NDArray[np.uint8], failed: Iterable[int]) -> Predictions:
        """Classify, and count.

        Args:
            model: that answers.
            images: uint8 (n, 28, 28).
            failed: the images, by index, that are no images and count for nothing.
        """
        kept = np.ones(len(images), bool)
        kept[list(failed)] = False
        try:
            predictions = model.classifier.classify(images)
        except Exception:
            self._count(model.version, ServiceCounts(errors=int(kept.sum())))
            raise
        confidences = predictions.confidences[kept]
        self._count(
            model.version,
            ServiceCounts(
                images=len(confidences),
                review=int((confidences < REVIEW_BELOW).sum()),
                confidence=round(1000 * float(confidences.sum())),
            ),
        )
        shadow = self._shadow
        if shadow and shadow.before and shadow.version == model.version:
            self._compare(shadow.version, shadow.before, images, predictions, np.flatnonzero(kept)[::SHADOW_EVERY])
        return predictions

    def look(self) -> None:
        """Pass the counts on, and roll the live version back if it is watched and fails.

        Raises:
            redis.exceptions.RedisError: the registry does not answer; the counts are lost.
        """
        with self._guard:
            counts, self._counts = self._counts, {}
        for version, tally in counts.items():
            self._registry.count(version, tally)
        canary = self._registry.canary()
        if canary is None:
            self._shadow = None
            return
        tally = self._registry.service_counts(canary.version)
        if tally.passed:
            self._shadow = None
        elif fault := tally.fault():
            self._roll_back(canary.version, fault)
        elif self._shadow is None or self._shadow.version != canary.version:
            self._shadow = self._load(canary.version, canary.before)

    def _count(self, version: str, tally: ServiceCounts) -> None:
        with self._guard:
            self._counts[version] = self._counts.get(version, ServiceCounts()) + tally

    def _compare(
        self,
        version: str,
        classifier: Classifier,
        images: NDArray[np.uint8],
        predictions: Predictions,
        rows: NDArray[np.intp],
    ) -> None:
        try:
            before = classifier.classify(images[rows])
        except Exception:
            _log.exception("the version before %s failed on its sample; it is shown no more", version)
            self._shadow = _Shadow(version, None)
            return
        self._count(
            version,
            ServiceCounts(
                shadowed=len(rows),
                disagreed=int((before.digits != predictions.digits[rows]).sum()),
                review_here=int((predictions.confidences[rows] < REVIEW_BELOW).sum()),
                review_before=int((before.confidences < REVIEW_BELOW).sum()),
            ),
        )

    def _load(self, version: str, before: str) -> _Shadow:
        try:
            return _Shadow(version, self._models(before).classifier)
        except ModelError as fault:
            _log.warning("%s is not compared with %s: %s", version, before, fault)
            return _Shadow(version, None)

    def _roll_back(self, version: str, fault: str) -> None:
        self._shadow = None
        try:
            live = self._registry.rollback(reason=fault, expected=version, who=f"{self._worker}, watching")
        except ModelError as hindrance:
            _log.warning("%s should not be live, for %s; not rolled back: %s", version, fault, hindrance)
        else:
            _log.error("%s is rolled back to %s: %s", version, live, fault)
