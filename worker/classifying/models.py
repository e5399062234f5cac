"""Holds the models of a classifying process in memory, by version, and knows which of them serves as the live one."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from model.errors import ModelError, NotTried
from model.inference.classifier import Classifier
from model.inference.trial import try_model
from worker.classifying.memory import give_back_memory
from worker.classifying.notes import ProcessNotes
from worker.contract.registry import LIVE, Registry
from worker.meter import Meter

MAX_LOADED = 4
"""Number of versions that stay loaded: the live one, the previous one, and those that jobs are pinned to.

Loading one takes 2 ms and 1 MB.
"""

RETRY_SECONDS = 5.0
"""Pause before a live version that could not be loaded is tried again. Somebody may have published it anew."""

FAILED_SECONDS = 60.0
"""Time after which a model that did not pass its trial is tried again. A busy machine may have been the reason."""

FAILED_KEPT = 16
"""Maximum number of failed trials that a process remembers."""

_log = logging.getLogger(__name__)


class LoadedModel(NamedTuple):
    """A model that is ready to classify."""

    version: str
    classifier: Classifier
    content: bytes = b""  # of its model.tflite, to run it apart; empty for the baseline, which needs no proof
    temperature: float = 1.0


class Models:
    """Returns the model of a version, and loads it on first use.

    One thread classifies. Another may `follow` the registry's live version; it loads and warms a model before the first
    thread sees it. The constructor loads the baseline that ships with the program, so a process can start while
    Redis is away.

    Every other version first passes a trial in a process with limits (`model.inference.trial`), once for each worker
    and model, while the loaded versions go on serving.

    Args:
        registry: Registry that holds the versions.
        notes: Notes of this process; by default new ones.
        meter: What counts the changes of the live version; by default nothing.
        baseline: The loaded baseline, which a process shares with the one that forked it; by default loaded here.
        clock: Function that returns the time in seconds; it must never go back.

    Raises:
        ModelError: The baseline is missing or altered.
    """

    def __init__(
        self,
        registry: Registry,
        notes: ProcessNotes | None = None,
        meter: Meter | None = None,
        *,
        baseline: Classifier | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self.notes, self.meter = notes or ProcessNotes(), meter or Meter()
        self._clock = clock
        self._loaded: dict[str, LoadedModel] = {}  # in order of last use
        self._guard = threading.Lock()
        self._loading = threading.Lock()
        self._failed: dict[bytes, tuple[str, float]] = {}  # digest → fault found in its trial, and until when it counts
        self._unloadable = ""
        version = registry.baseline.version
        if baseline:
            self._loaded[version] = LoadedModel(version, baseline, temperature=registry.baseline.temperature)
        self._live = self._load(version)
        self.meter.serves(self.live)
        self._followed = False
        self._fault = ""
        self._refused, self._retry_at = "", 0.0

    @property
    def live(self) -> str:
        """The version that serves as the live one."""
        return self._live.version

    @property
    def fault(self) -> str:
        """The reason why `live` is not the registry's live version, or "" if it is."""
        return self._fault

    @property
    def unloadable(self) -> tuple[str, str]:
        """The live version and why it cannot be loaded, or two empty texts if it can, or if that is not known."""
        return (self._refused, self._unloadable) if self._unloadable else ("", "")

    def at_hand(self, version: str) -> LoadedModel | None:
        """Return the model of a version if it is loaded, or None if `__call__` would have to load it."""
        if version == LIVE:
            return self._live if self._followed else None
        if version == self._live.version:
            return self._live
        with self._guard:
            loaded = self._loaded.pop(version, None)
            if loaded:
                self._loaded[version] = loaded
        return loaded

    def __call__(self, version: str) -> LoadedModel:
        """Return the model of a version.

        Args:
            version: Name of the version, or `LIVE`.

        Raises:
            ModelError: The version does not exist, is incomplete or altered, did not pass its trial, or is out of
                service because of what it did before.
            NotTried: Its trial could not run.
            redis.exceptions.RedisError: The version is not loaded, and the registry does not answer.
        """
        if (loaded := self.at_hand(version)) is not None:
            return loaded
        if version == LIVE:
            self.follow()
            return self._live
        return self._load(version)

    def follow(self) -> None:
        """Serve the registry's live version from the next batch on.

        If it cannot be loaded, the old version goes on serving, and the new one is tried again every few seconds.

        Raises:
            redis.exceptions.RedisError: The registry does not answer.
        """
        version = self.registry.live()
        if version == self._live.version:
            self._fault = self._refused = self._unloadable = ""
        elif version != self._refused or self._clock() >= self._retry_at:
            self._serve(version)
        self._followed = True

    def forget(self, version: str) -> None:
        """Drop a version from memory. Unless it is the live one, it is loaded again when it is needed."""
        with self._guard:
            self._loaded.pop(version, None)

    def _serve(self, version: str) -> None:
        before = self._live.version
        try:
            self._live = self(version)
        except ModelError as fault:
            if version != self._refused or str(fault) not in self._fault:
                _log.error("%s is live but cannot be loaded; %s goes on serving: %s", version, before, fault)
            self._fault = f"{version} is live but cannot be loaded: {fault}"
            self._refused, self._retry_at = version, self._clock() + RETRY_SECONDS
            self.meter.could_not_load()
            self._unloadable = "" if isinstance(fault, NotTried) else f"it cannot be loaded: {fault}"
        else:
            self._fault = self._refused = self._unloadable = ""
            self.meter.serves(version, instead_of=before)
            _log.info("model %s serves instead of %s", version, before)

    def _load(self, version: str) -> LoadedModel:
        with self._loading:  # so that the other thread waits for the same trial instead of beginning another
            with self._guard:
                loaded = self._loaded.get(version)
            return loaded or self._load_new(version)

    def _load_new(self, version: str) -> LoadedModel:
        trusted = version == self.registry.baseline.version
        if not trusted and (fault := self.registry.fault(version)):
            raise ModelError(
                f"Model {version} is out of service, because {fault}. Submit the images again with another model, or "
                "promote this one to try it again."
            )
        card, content = self.registry.fetch_model(version)
        if not trusted:
            self._try(version, content, card.temperature)
        with self.notes.loading(version):
            classifier = Classifier(content, temperature=card.temperature)
        loaded = LoadedModel(version, classifier, b"" if trusted else content, card.temperature)
        with self._guard:
            self._loaded[version] = loaded
            for surplus in list(self._loaded)[:-MAX_LOADED]:
                del self._loaded[surplus]
        give_back_memory()
        return loaded

    def _try(self, version: str, content: bytes, temperature: float) -> None:
        """Try a model in a process with limits, unless this worker has done so before.

        Raises:
            ModelError: The model did not pass.
            NotTried: Its trial could not run.
        """
        digest = hashlib.sha256(content + repr(temperature).encode()).digest()
        if self.notes.has_passed(digest):
            return
        fault, until = self._failed.get(digest, ("", 0.0))
        if self._clock() < until:
            raise ModelError(fault)
        try:
            slowdown = try_model(version, content, temperature)
        except NotTried:
            raise
        except ModelError as found:
            if len(self._failed) >= FAILED_KEPT:
                self._failed.clear()
            self._failed[digest] = str(found), self._clock() + FAILED_SECONDS
            raise
        self.notes.add_passed(digest)
        _log.info("model %s passed its trial: %.1f times the baseline's time for an image", version, slowdown)
