"""The errors of the queue. As in all errors of digitmill, each message names the fault and the remedy.

DigitmillError
├── WireError         A message or record is damaged.
│   └── UnknownFormat     This version does not read its format.
├── Unreachable       Redis does not answer, or what answers is not a Redis.
├── NoWorkers         No worker answered in time.
└── JobFailed         The job was cancelled, or failed as a whole.
"""

import contextlib
from collections.abc import Iterator

from model.errors import DigitmillError
from model.records import Damaged, OtherFormat


class WireError(DigitmillError):
    """A message or record is damaged."""


class UnknownFormat(WireError):
    """This version of digitmill does not read the format of a message or record. Another version may."""


class Unreachable(DigitmillError):
    """Redis does not answer, or what answers is not a Redis."""


class NoWorkers(DigitmillError):
    """No worker answered in time."""


class JobFailed(DigitmillError):
    """The job was cancelled, or failed as a whole."""


@contextlib.contextmanager
def reading(what: str, *, remedy: str) -> Iterator[None]:
    """Turn any error that a damaged record causes while it is read into an error with a remedy.

    Args:
        what: The record, as the subject of a sentence: "This batch record".
        remedy: One sentence that says what to do about a damaged record.

    Raises:
        UnknownFormat: The record has a format that this program does not read.
        WireError: The record is damaged.
    """
    try:
        yield
    except OtherFormat as fault:
        raise UnknownFormat(
            f"{what} has format {fault.found}, and this program reads format {fault.expected}. "
            "Run the same version of digitmill everywhere."
        ) from None
    except Damaged as fault:
        raise WireError(f"{what} is damaged ({fault}). {remedy}") from None
    except (KeyError, ValueError, OverflowError) as fault:
        raise WireError(f"{what} is damaged ({type(fault).__name__}). {remedy}") from None
