"""Turns damage in a record into an error of the queue."""

import contextlib
from collections.abc import Iterator

from model.records import Damaged, OtherFormat
from worker.contract.errors import UnknownFormat, WireError


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
