"""The models that a worker process holds in memory, by version."""

from typing import NamedTuple

from model.card import BASELINE, read_model
from model.classifier import Classifier
from model.errors import ModelError

LIVE = "live"
"""In place of a version: whichever is live when the batch is classified."""


class Loaded(NamedTuple):
    """A model ready to classify."""

    version: str
    classifier: Classifier


class Models:
    """Gives the model for a version, and loads it once.

    The baseline that ships with the program is loaded and warmed at once, so a process that holds a `Models` is ready.

    Raises:
        ModelError: the baseline is missing or altered.
    """

    def __init__(self) -> None:
        card, data = read_model(BASELINE)
        baseline = Loaded(card.version, Classifier(data, temperature=card.temperature))
        self._loaded = {LIVE: baseline, baseline.version: baseline}

    def __call__(self, version: str) -> Loaded:
        """Return the model of that version, or the live one.

        Raises:
            ModelError: this process cannot get that version.
        """
        try:
            return self._loaded[version]
        except KeyError:
            raise ModelError(
                f"This worker has no model {version}, only {self._loaded[LIVE].version}. "
                "Run the same version of digitmill everywhere."
            ) from None
