"""Holds the models of a classifying process in memory, by version, and knows which of them serves as the live one."""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from model.errors import ModelError
from model.inference.classifier import Classifier
from worker.classifying.memory import give_back_memory
from worker.contract.registry import LIVE, Registry

MAX_LOADED = 4
"""Number of versions that stay loaded: the live one, the previous one, and those that jobs are pinned to.

Loading one takes 2 ms and 1 MB.
"""

RETRY_SECONDS = 5.0
"""Pause before a live version that could not be loaded is tried again. Somebody may have published it anew."""

_log = logging.getLogger(__name__)


class LoadedModel(NamedTuple):
    """A model that is ready to classify."""

    version: str
    classifier: Classifier


class Models:
    """Returns the model of a version, and loads it on first use.

    One thread classifies. Another may `follow` the registry's live version; it loads and warms a model before the first
    thread sees it. The constructor loads the baseline that ships with the program, so a process can start while
    Redis is away.

    Args:
        registry: Registry that holds the versions.
        clock: Function that returns the time in seconds; it must never go back.

    Raises:
        ModelError: The baseline is missing or altered.
    """

    def __init__(self, registry: Registry, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = registry
        self._clock = clock
        self._loaded: dict[str, LoadedModel] = {}  # in order of last use
        self._guard = threading.Lock()
        self._live = self._load(registry.baseline.version)
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

    def __call__(self, version: str) -> LoadedModel:
        """Return the model of a version.

        Args:
            version: Name of the version, or `LIVE`.

        Raises:
            ModelError: The version does not exist, or it is incomplete, altered or unreadable.
            redis.exceptions.RedisError: The version is not loaded, and the registry does not answer.
        """
        if version == LIVE:
            if not self._followed:
                self.follow()
            return self._live
        if version == self._live.version:
            return self._live
        with self._guard:
            loaded = self._loaded.pop(version, None)
            if loaded:
                self._loaded[version] = loaded
        return loaded or self._load(version)

    def follow(self) -> None:
        """Serve the registry's live version from the next batch on.

        If it cannot be loaded, the old version goes on serving, and the new one is tried again every few seconds.

        Raises:
            redis.exceptions.RedisError: The registry does not answer.
        """
        version = self._registry.live()
        if version == self._live.version:
            self._fault = self._refused = ""
        elif version != self._refused or self._clock() >= self._retry_at:
            self._serve(version)
        self._followed = True

    def _serve(self, version: str) -> None:
        before = self._live.version
        try:
            self._live = self(version)
        except ModelError as fault:
            if version != self._refused or str(fault) not in self._fault:
                _log.error("%s is live but cannot be loaded; %s goes on serving: %s", version, before, fault)
            self._fault = f"{version} is live but cannot be loaded: {fault}"
            self._refused, self._retry_at = version, self._clock() + RETRY_SECONDS
        else:
            self._fault = self._refused = ""
            _log.info("model %s serves instead of %s", version, before)

    def _load(self, version: str) -> LoadedModel:
        card, content = self._registry.fetch_model(version)
        loaded = LoadedModel(version, Classifier(content, temperature=card.temperature))
        _check_sane(loaded)
        with self._guard:
            self._loaded[version] = loaded
            for surplus in list(self._loaded)[:-MAX_LOADED]:
                del self._loaded[surplus]
        give_back_memory()
        return loaded


def _check_sane(loaded: LoadedModel) -> None:
    """Refuse a model with outputs that are not probabilities. One wrong number on its card is enough to cause that.

    Raises:
        ModelError: The outputs are not probabilities.
    """
    probabilities = loaded.classifier.classify(np.zeros((1, 28, 28), np.uint8)).probabilities
    if not np.allclose(probabilities.sum(), 1.0, atol=1e-3):
        raise ModelError(f"Model {loaded.version} does not give probabilities. Train it again, or promote another.")
