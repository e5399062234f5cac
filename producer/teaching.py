"""Teaching: labelled images from a source, decoded and normalised as workers do it, on their way to the trainer."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.data.taught import fingerprint
from model.errors import Failure, FailureCode, ImageError, UsageError
from model.images.preprocess import preprocess
from producer.mill.connection import Connection
from producer.sources import ImageContent, Source, open_source
from worker.contract.errors import NoWorkers
from worker.contract.teaching import BATCH, MAX_WAITING, LabelChange, Teaching
from worker.contract.training import Trainings

TIMEOUT_SECONDS = 60.0
"""How long to wait for Redis, or for a trainer to make room in a full inbox."""

KEPT_SECONDS = 5.0
"""How long to wait for a trainer to take what was sent, to say that it has; it looks every second."""

NOT_TAUGHT = Failure(FailureCode.MISSING, "It is not among what is taught; `digitmill teach --list --json` has all.")

_BEGINNING = re.compile("[0-9a-f]{4,64}")
_WHOLE = re.compile("[0-9a-f]{64}")


@dataclass(slots=True)
class TeachingCounts:
    """What became of the images that were to be taught, or removed.

    Attributes:
        digits: how many of each digit are fit to be taught.
        new: taught for the first time.
        known: taught before, with the same label.
        corrected: taught before, with another label.
        removed: taught before, and no more.
        unlabelled: passed over.
        failures: why others could not be used, by name.
    """

    digits: list[int] = field(default_factory=lambda: [0] * 10)
    new: int = 0
    known: int = 0
    corrected: int = 0
    removed: int = 0
    unlabelled: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """Those that have reached Redis."""
        return self.new + self.known + self.corrected + self.removed


def lessons(
    source: Source, tally: TeachingCounts, *, digit: int | None = None, only_labelled: bool = False
) -> Iterator[LabelChange]:
    """Give what there is to teach; what cannot be used is counted in `tally`.

    Args:
        source: of the images.
        tally: counts.
        digit: what all of them are, whatever their labels; None: as they are labelled.
        only_labelled: pass over what has no label.

    Raises:
        UsageError: there is something without a label that is not to be passed over.
    """
    now = time.time()
    labels: dict[str, tuple[int, str]] = {}
    for image in source:
        label = image.label if digit is None else digit
        if label is None and only_labelled:
            tally.unlabelled += 1
            continue
        try:
            pixels = _pixels(image.content)
        except ImageError as fault:
            tally.failures[image.name] = fault.failure
            continue
        if label is None:
            raise UsageError(
                f"Nothing says which digit {image.name!r} is. Put the images into folders named 0 to 9, or give "
                "--labels FILE.csv, or --label DIGIT if all are the same."
            )
        lesson = LabelChange.of(pixels, label, image.name, now)
        other, name = labels.setdefault(lesson.sha256, (label, image.name))
        if other != label:
            tally.failures[image.name] = Failure(
                FailureCode.CONTRADICTORY, f"It is the same image as {name!r}, taught as a {other}. Remove one of them."
            )
            continue
        tally.digits[label] += 1
        yield lesson


def removals(teaching: Teaching, words: Iterable[str], tally: TeachingCounts) -> Iterator[LabelChange]:
    """Give what there is to remove.

    Args:
        teaching: to look up what is taught.
        words: each an image, a folder or an archive of images that were taught, or the beginning of a SHA-256.
        tally: counts.

    Raises:
        UsageError: one is neither, or several images begin so.
    """
    for word in words:
        if Path(word).exists():
            for image in open_source(word, labels="none"):
                try:
                    yield _removal(_sha256(image.name, image.content), image.name)
                except ImageError as fault:
                    tally.failures[image.name] = fault.failure
            continue
        if not _BEGINNING.fullmatch(word):
            raise UsageError(
                f"{word!r} is neither a path nor the beginning of a SHA-256 (4 to 64 of 0 to 9 and a to f). "
                "`digitmill teach --list --json` has all."
            )
        found = teaching.find(word)
        if len(found) > 1:
            raise UsageError(f"{len(found)} taught images begin with {word}. Give more of it.")
        if not found:
            tally.failures[word] = NOT_TAUGHT
        for sha256 in found:
            yield _removal(sha256, word)


def send(connection: Connection, lessons: Iterable[LabelChange], tally: TeachingCounts) -> None:
    """Put lessons into the inbox, and count what became of them.

    Raises:
        NoWorkers: the inbox is full, and no trainer makes room.
        UsageError: more images would be taught than are ever kept.
        Unreachable: Redis does not answer.
    """
    teaching = Teaching(connection.client)
    coming = iter(lessons)
    while some := list(islice(coming, BATCH)):
        for lesson, before in zip(some, _put(connection, teaching, some), strict=True):
            if lesson.label is None:
                tally.removed += before is not None
                if before is None:
                    tally.failures[lesson.name] = NOT_TAUGHT
            elif before is None:
                tally.new += 1
            elif before == lesson.label:
                tally.known += 1
            else:
                tally.corrected += 1


def await_kept(connection: Connection) -> int:
    """Give a trainer that runs the time to take what was sent; return how many changes wait still."""
    teaching = Teaching(connection.client)
    trainers = Trainings(connection.client).trainers()
    deadline = time.monotonic() + KEPT_SECONDS
    while (waiting := teaching.waiting()) and trainers and time.monotonic() < deadline:
        time.sleep(0.1)
    return waiting


def _put(connection: Connection, teaching: Teaching, some: list[LabelChange]) -> list[int | None]:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (before := connection.retry_transient(lambda: teaching.send(some), timeout=TIMEOUT_SECONDS)) is None:
        trainers = connection.retry_transient(Trainings(connection.client).trainers, timeout=TIMEOUT_SECONDS)
        if not trainers or time.monotonic() > deadline:
            raise NoWorkers(
                f"No more than {MAX_WAITING:,} taught images wait for a trainer, and "
                f"{'the one that runs takes none; its log says why' if trainers else 'none is running'}. "
                "Start one with `python -m worker.trainer`, then run this again: what is known is passed over."
            )
        time.sleep(0.2)
    return before


def _pixels(content: ImageContent | Failure) -> NDArray[np.uint8]:
    if isinstance(content, Failure):
        raise ImageError(*content)
    return preprocess(content) if isinstance(content, bytes) else content


def _sha256(name: str, content: ImageContent | Failure) -> str:
    # A file of the trainer's folder says itself which one it is.
    stem = Path(name).stem
    return stem if _WHOLE.fullmatch(stem) else fingerprint(_pixels(content))


def _removal(sha256: str, name: str) -> LabelChange:
    return LabelChange(sha256, None, name, time.time())
