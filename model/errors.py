"""Every error of digitmill: one small tree, each message naming the fault and the remedy.

DigitmillError
├── UsageError        what was asked for cannot be done as asked (a missing path, a bad setting)
├── ImageError        one image cannot be classified; it becomes one error row, its neighbours go on
├── DataError         training or test data is missing, altered or unreadable
├── ModelError        a model is missing, altered, or does not fit the code
├── WireError         a message or record is damaged
│   └── UnknownFormat     or of a format that this version does not read
├── Unreachable       Redis does not answer, or not as a Redis
├── NoWorkers         no worker answered in time
└── JobFailed         the job was cancelled or failed as a whole
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


class WireError(DigitmillError):
    """A message or record is damaged."""


class UnknownFormat(WireError):
    """A message or record is of a format that this version does not read; another version may."""


class Unreachable(DigitmillError):
    """Redis does not answer, or not as a Redis."""


class NoWorkers(DigitmillError):
    """No worker answered in time."""


class JobFailed(DigitmillError):
    """The job was cancelled or failed as a whole."""


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
