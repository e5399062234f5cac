"""Where a training stands, on disk, so that one that was stopped goes on instead of beginning again."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from model.cards.card import Epoch
from model.network.saving import writing

Arrays = list[NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file that one stage of a training writes after each epoch.

    Attributes:
        path: of the file, made and replaced as a whole.
        training: tells this training from any other: same data, recipe, seed and program. Another's file is not read.
    """

    path: Path
    training: str

    def save(self, epochs: list[Epoch], arrays: Arrays) -> None:
        """Replace what was saved before.

        Raises:
            UsageError: it cannot be written; what was saved before stays.
        """
        metadata = {"training": self.training, "epochs": json.dumps(epochs)}
        fresh = self.path.with_suffix(".part")
        with writing(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            save_file({str(number): array for number, array in enumerate(arrays)}, fresh, metadata)
            fresh.replace(self.path)

    def load(self) -> tuple[list[Epoch], Arrays] | None:
        """What was saved last; None if nothing was, or by another training, or if the file is damaged."""
        with contextlib.suppress(OSError, SafetensorError), safe_open(self.path, "numpy") as file:
            metadata = file.metadata() or {}
            if metadata.get("training") == self.training:
                epochs = [Epoch(*values) for values in json.loads(metadata["epochs"])]
                return epochs, [file.get_tensor(str(number)) for number in range(len(file.keys()))]
        return None
