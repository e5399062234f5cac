"""What the jobs of this suite classify, and the answers that they must get: those of this process, without a queue."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.support.images import as_png, real_digits, undisturbed_answers
from tests.system.faults.injected.marks import MARK_KILL, MARK_SLOW

BATCH = 8
FILES = 160
"""Number of files. In each batch one is slow, so that two workers take three seconds."""

ARRAYS, REPEAT, ARRAY_BATCH = 500, 24, 50
"""Number of images in an array, how often each is in it, and how many are in a batch: megabytes that pass quickly."""


@dataclass(frozen=True)
class Work:
    """Images of one job.

    Attributes:
        path: Their folder or file.
        options: Options of `submit` for them.
        answers: For each row the digit, or the error code.
    """

    path: Path
    options: tuple[str, ...]
    answers: tuple[str, ...]


class Works:
    """Makes images in a folder. A try may change only its own.

    Args:
        folder: Folder that exists.
        count: Number of files of a job.

    Attributes:
        count: The same.
        images: The images that all jobs are made of.
        files: Files that are slow to decode.
        array: An array of many images that pass quickly.
    """

    def __init__(self, folder: Path, count: int = FILES) -> None:
        self._folder, self.count = folder, count
        digits = real_digits()
        self.images = digits.images[: max(count, ARRAYS)]
        self._answers = [str(digit) for digit in undisturbed_answers(self.images).tolist()]
        self.files = self.folder_of("files", {})
        np.save(folder / "images.npy", np.tile(self.images[:ARRAYS], (REPEAT, 1, 1)))
        self.array = Work(
            folder / "images.npy", ("--batch-size", str(ARRAY_BATCH)), tuple(self._answers[:ARRAYS] * REPEAT)
        )

    def folder_of(self, name: str, bad: dict[int, tuple[bytes, str]]) -> Work:
        """Return a folder of files, one in each batch slow to decode.

        Args:
            name: Name of a new folder.
            bad: Content and error code of files that have no digit, by index.
        """
        target = self._folder / name
        target.mkdir()
        answers = self._answers[: self.count]
        for index in range(self.count):
            data = as_png(self.images[index]) + (MARK_SLOW if index % BATCH == 0 else b"")
            if index in bad:
                data, answers[index] = bad[index]
            (target / f"{index:05}.png").write_bytes(data)
        return Work(target, ("--batch-size", str(BATCH)), tuple(answers))

    def killing(self, name: str, index: int) -> Work:
        """Return a folder with a file that kills each process that decodes it."""
        return self.folder_of(name, {index: (as_png(self.images[index]) + MARK_KILL, "quarantined")})
