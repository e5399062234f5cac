"""Errors of images, data and models. Each message names the fault and the remedy.

DigitmillError
├── UsageError        The request cannot be carried out: a path is missing, a setting is wrong, a package is missing.
│   └── InputError        What a program gave as an image cannot be one. It is a TypeError as well.
├── ImageError        One image cannot be classified. It becomes one error row; its neighbours are not affected.
├── DataError         Training or test data is missing, altered or unreadable.
└── ModelError        A model is missing or altered, or it does not fit the code.
    └── NotTried          The model could not be tried, which says nothing about it.

`worker.contract.errors` adds the errors of the queue to this tree.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import NamedTuple


class DigitmillError(Exception):
    """The base of all errors that digitmill raises on purpose. The command line prints them without a traceback."""


class UsageError(DigitmillError):
    """The request cannot be carried out as it was given."""


class InputError(UsageError, TypeError):
    """What a program gave as an image cannot be one."""


class DataError(DigitmillError):
    """Training or test data is missing, altered or unreadable."""


class ModelError(DigitmillError):
    """A model is missing or altered, or it does not fit the code."""


class NotTried(ModelError):
    """The process that should try a model could not run. That says nothing about the model."""


class FailureCode(StrEnum):
    """The reason why an image has no prediction. The values are stable: reports hold them, and programs read them."""

    EMPTY = "empty"  # the file has no bytes
    NOT_AN_IMAGE = "not_an_image"  # the format is not on the allow-list
    BROKEN = "broken"  # the format is an image format, but the file is truncated or corrupt
    TOO_LARGE = "too_large"  # the file has more bytes or pixels than digitmill ever decodes
    TOO_COSTLY = "too_costly"  # decoding the image takes more time or memory than digitmill gives to one image
    SEVERAL_FRAMES = "several_frames"  # the file is an animation or a document of several pages
    BLANK = "blank"  # nothing is drawn on the image
    SEVERAL_DIGITS = "several_digits"  # the image shows two or more digits
    UNREADABLE = "unreadable"  # the file or archive member cannot be read
    MISSING = "missing"  # a label file names the image, but it does not exist
    CONTRADICTORY = "contradictory"  # one call teaches the same image with two labels
    UNSAFE_PATH = "unsafe_path"  # the path of the archive member leaves the archive
    QUARANTINED = "quarantined"  # the image made its worker process die repeatedly
    INTERNAL = "internal"  # digitmill itself has a bug


class Failure(NamedTuple):
    """The reason why one image has no prediction, as messages and reports carry it."""

    code: FailureCode
    sentence: str


class ImageError(DigitmillError):
    """One image cannot be classified.

    Attributes:
        code: Reason, for programs.
        sentence: Fault and remedy, for people.
    """

    def __init__(self, code: FailureCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence

    @property
    def failure(self) -> Failure:
        """The code and the sentence as a plain value."""
        return Failure(self.code, self.sentence)


@contextmanager
def required_extra(package: str, extra: str) -> Iterator[None]:
    """Raise an error that says how to install a package, if an import inside the block does not find it.

    Args:
        package: Name of the package, as people know it.
        extra: Extra of digitmill that installs it.

    Raises:
        UsageError: The package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(f"{package} is not installed. Install it: pip install 'digitmill[{extra}]'.") from error
