"""The errors of images, data and models; each message names the fault and the remedy.

DigitmillError
├── UsageError        The request cannot be carried out as given: a missing path, a bad setting.
├── ImageError        One image cannot be classified; it becomes one error row, and its neighbours are not affected.
├── DataError         Training or test data is missing, altered or unreadable.
└── ModelError        A model is missing, altered, or does not fit the code.

`worker.contract.errors` adds the errors of the queue to this tree.
"""

from enum import StrEnum
from typing import NamedTuple


class DigitmillError(Exception):
    """Anything that digitmill itself has to say; the command line prints it without a traceback."""


class UsageError(DigitmillError):
    """What was asked for cannot be done as asked."""


class DataError(DigitmillError):
    """Training or test data is missing, altered or unreadable."""


class ModelError(DigitmillError):
    """A model is missing, altered, or does not fit the code."""


class FailureCode(StrEnum):
    """Why one image has no prediction. The values are stable: they stand in reports and are safe to match on."""

    EMPTY = "empty"  # no bytes at all
    NOT_AN_IMAGE = "not_an_image"  # none of the formats on the allow-list
    BROKEN = "broken"  # an image format, but truncated or corrupt
    TOO_LARGE = "too_large"  # more bytes or pixels than are ever decoded
    SEVERAL_FRAMES = "several_frames"  # an animation or a document of several pages
    BLANK = "blank"  # nothing is drawn on it
    UNREADABLE = "unreadable"  # the file or archive member cannot be read
    MISSING = "missing"  # named by a label file, but not there
    CONTRADICTORY = "contradictory"  # to be taught with two labels at once
    UNSAFE_PATH = "unsafe_path"  # an archive member whose path leaves the archive
    QUARANTINED = "quarantined"  # its worker process died on it, again and again
    INTERNAL = "internal"  # a fault of digitmill's own


class Failure(NamedTuple):
    """Why one image has no prediction, as it travels and stands in reports."""

    code: FailureCode
    sentence: str


class ImageError(DigitmillError):
    """One image cannot be classified.

    Attributes:
        code: the stable reason.
        sentence: one sentence for people: the fault and, where there is one, the remedy.
    """

    def __init__(self, code: FailureCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence

    @property
    def failure(self) -> Failure:
        """The same as a value."""
        return Failure(self.code, self.sentence)
