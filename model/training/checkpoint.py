"""Keep the state of a training on disk, so that a stopped training can be resumed."""

import contextlib
import json
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from model.cards.card import Epoch
from model.network.saving import writing
from model.records import Damaged, from_json, from_plain

Arrays = list[NDArray[np.generic]]

_EPOCH = [field.name for field in fields(Epoch)]
"""The names of the values that a checkpoint holds for each epoch, in order."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file in which the training of one network keeps its state after each epoch.

    Attributes:
        path: Path of the file. It is always replaced as a whole.
        training: Identity of the training, such as a hash of all that determines its result. The files of other
            trainings are ignored.
    """

    path: Path
    training: str

    def save(self, epochs: list[Epoch], arrays: Arrays) -> None:
        """Replace the saved state.

        Args:
            epochs: All epochs so far.
            arrays: State of the trainer, in a fixed order.

        Raises:
            UsageError: The file cannot be written. The previous state stays.
        """
        metadata = {"training": self.training, "epochs": json.dumps([astuple(epoch) for epoch in epochs])}
        fresh = self.path.with_suffix(".part")
        with writing(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(save({str(number): array for number, array in enumerate(arrays)}, metadata))
            fresh.replace(self.path)

    def load(self) -> tuple[list[Epoch], Arrays] | None:
        """Return the epochs and the arrays of the saved state, as `save` took them.

        Returns:
            None if there is no state, the file is damaged, or another training saved it.
        """
        with contextlib.suppress(OSError, SafetensorError, Damaged), safe_open(self.path, "numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("training") == self.training:
                rows = from_json(list[list[Any]], metadata.get("epochs", ""), finite=False)  # it may diverge
                epochs = [from_plain(Epoch, dict(zip(_EPOCH, row, strict=False))) for row in rows]
                return epochs, [file.get_tensor(str(number)) for number in range(len(file.keys()))]
        return None
