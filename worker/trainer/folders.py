"""The folders of trainings, in the trainer's data folder. Only that of the open training stays."""

import contextlib
import shutil
from pathlib import Path

from worker.contract.training import Trainings


def training_folder(data: Path, identifier: str) -> Path:
    """Return the folder of a training: what its process needs, its checkpoints, its candidate and temporary files."""
    return _parent(data) / identifier


def remove_ended(data: Path, trainings: Trainings) -> None:
    """Remove the folders of all trainings but the open one, however they ended, and whichever trainer had them.

    Files and links, which no trainer makes there, stay.

    Raises:
        OSError: A folder cannot be removed.
        RedisError: Redis does not answer.
        WireError: The record of the latest training is damaged.
    """
    folders: list[Path] = []
    with contextlib.suppress(FileNotFoundError):
        folders += [path for path in _parent(data).iterdir() if path.is_dir() and not path.is_symlink()]
    if not folders:
        return
    # It is read after the list of folders. So a training that begins meanwhile is not in that list.
    latest = trainings.latest()
    for folder in folders:
        if latest is None or latest.state.ended or folder.name != latest.identifier:
            with contextlib.suppress(FileNotFoundError):  # another trainer with this data folder has removed it
                shutil.rmtree(folder)


def _parent(data: Path) -> Path:
    return data / "training"
