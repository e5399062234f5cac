"""The models that a worker process holds in memory, by version, and which of them is the live one."""

import logging
import threading
import time
from typing import NamedTuple

import numpy as np

from model.errors import ModelError
from model.inference.classifier import Classifier
from worker.classifying.memory import give_back_memory
from worker.contract.registry import LIVE, Registry

LOADED = 4
"""Versions that stay loaded, the latest used: live, previous, what jobs are pinned to. One takes 2 ms and 1 MB."""

TRY_AGAIN_SECONDS = 5.0
"""Before a live version that cannot be loaded is tried again: somebody may have published it anew."""

_log = logging.getLogger(__name__)


class Loaded(NamedTuple):
    """A model ready to classify."""

    version: str
    classifier: Classifier


class Models:
    """Gives the model for a version, and loads it when it is first asked for.

    One thread classifies, another may `follow` what is live: each model is loaded and warmed before the other sees it.
    The baseline that ships with the program is loaded at once, so a process that holds a `Models` can serve, whatever
    has become of the registry.

    Args:
        registry: where versions come from.

    Raises:
        ModelError: the baseline is missing or altered.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loaded: dict[str, Loaded] = {}  # the latest used last
        self._guard = threading.Lock()
        self._live = self._load(registry.baseline.version)
        self._followed = False
        self._fault = ""
        self._refused, self._try_again = "", 0.0

    @property
    def live(self) -> str:
        """The version that serves as the live one."""
        return self._live.version

    @property
    def fault(self) -> str:
        """Why that is not the version which the registry calls live, or ""."""
        return self._fault

    def __call__(self, version: str) -> Loaded:
        """Return the model of that version, or the live one.

        Raises:
            ModelError: there is no such version, or it is incomplete, altered or unreadable.
            redis.exceptions.RedisError: it must be read from the registry, which does not answer.
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
        """Let the version that the registry calls live serve, from the next batch on.

        One that cannot be loaded leaves the old one serving, and is tried again every few seconds.

        Raises:
            redis.exceptions.RedisError: the registry does not answer.
        """
        version = self._registry.live()
        if version == self._live.version:
            self._fault = self._refused = ""
        elif version != self._refused or time.monotonic() >= self._try_again:
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
            self._refused, self._try_again = version, time.monotonic() + TRY_AGAIN_SECONDS
        else:
            self._fault = self._refused = ""
            _log.info("model %s serves instead of %s", version, before)

    def _load(self, version: str) -> Loaded:
        card, content = self._registry.fetch_model(version)
        loaded = Loaded(version, Classifier(content, temperature=card.temperature))
        _check_sane(loaded)
        with self._guard:
            self._loaded[version] = loaded
            for surplus in list(self._loaded)[:-LOADED]:
                del self._loaded[surplus]
        give_back_memory()
        return loaded


def _check_sane(loaded: Loaded) -> None:
    """Refuse a model that computes no probabilities: one bad number on its card is enough for that."""
    probabilities = loaded.classifier.classify(np.zeros((1, 28, 28), np.uint8)).probabilities
    if not np.allclose(probabilities.sum(), 1.0, atol=1e-3):
        raise ModelError(f"Model {loaded.version} gives no probabilities. Train it again, or promote another.")
