"""Teaching: check labels with the workers, and send images to the trainer, decoded and normalised as the workers do."""

import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from model.data.taught import fingerprint
from model.errors import Failure, FailureCode, ImageError, UsageError
from model.evaluation.suspicion import FEWEST, suspicious
from model.images.preprocess import preprocess
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.results import FinishedJob
from producer.jobs.submission import create_job, gather_job
from producer.mill.connection import Connection
from producer.sources import ImageContent, Source, array_source, open_source
from worker.contract.errors import JobFailed, NoWorkers
from worker.contract.gate import GateState, QueueGate
from worker.contract.teaching import BATCH, MAX_WAITING, LabelChange, Teaching
from worker.contract.training import Trainings
from worker.settings import Settings

TIMEOUT_SECONDS = 60.0
"""Longest wait for Redis, or for a trainer to make room in a full inbox, in seconds."""

KEPT_SECONDS = 5.0
"""Longest wait for a trainer to take changes from its inbox, in seconds. A trainer looks every second."""

CHECK_SECONDS = 20.0
"""Longest wait for the workers to give their opinion of the labels, in seconds without progress."""

NOT_HELD = Failure(
    FailureCode.MISSING, "The trainer does not hold it back. `digitmill teach --list` lists what it holds back."
)

NOT_TAUGHT = Failure(
    FailureCode.MISSING, "It is not among the taught images. `digitmill teach --list --json` lists them."
)

_SHA256_START = re.compile("[0-9a-f]{4,64}")
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(slots=True)
class TeachingCounts:
    """What became of the images that a user wanted to teach or remove.

    Attributes:
        digits: Number of usable images of each digit.
        new: Images taught for the first time.
        known: Images taught before with the same label.
        corrected: Images taught before with another label.
        removed: Images taught before and removed now.
        held: Images to be held back, because their labels are suspicious. Trainings do not use them.
        confirmed: Images that were held back and are taught now.
        unchecked: Number of images whose labels no worker has checked. The trainer checks them before it trains.
        unlabelled: Images that were skipped because they have no label.
        failures: Failures of images that cannot be used, by name.
    """

    digits: list[int] = field(default_factory=lambda: [0] * 10)
    new: int = 0
    known: int = 0
    corrected: int = 0
    removed: int = 0
    held: list[LabelChange] = field(default_factory=list)
    confirmed: int = 0
    unchecked: int = 0
    unlabelled: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """Number of changes that have reached Redis."""
        return self.new + self.known + self.corrected + self.removed + len(self.held) + self.confirmed


def label_changes(
    source: Source, counts: TeachingCounts, *, digit: int | None = None, only_labelled: bool = False
) -> Iterator[LabelChange]:
    """Yield a change for each image that can be taught, and count all images.

    Args:
        source: Images to teach.
        counts: Counts to update.
        digit: Label for every image, 0 to 9, or None to use the label that each image has.
        only_labelled: Whether to skip images without a label.

    Raises:
        UsageError: An image has no label, and `only_labelled` is not set.
    """
    now = time.time()
    labels: dict[str, tuple[int, str]] = {}
    for image in source:
        label = cast("int | None", image.label) if digit is None else digit  # a source of numbers is never taught
        if label is None and only_labelled:
            counts.unlabelled += 1
            continue
        try:
            pixels = _pixels(image.content)
        except ImageError as fault:
            counts.failures[image.name] = fault.failure
            continue
        if label is None:
            raise UsageError(
                f"{image.name!r} has no label. Put the images into folders named 0 to 9, or give --labels FILE.csv, or "
                "--label DIGIT if all images show the same digit."
            )
        change = LabelChange.of(pixels, label, image.name, now)
        other, name = labels.setdefault(change.sha256, (label, image.name))
        if other != label:
            counts.failures[image.name] = Failure(
                FailureCode.CONTRADICTORY, f"It is the same image as {name!r}, taught as a {other}. Remove one of them."
            )
            continue
        counts.digits[label] += 1
        yield change


def removals(
    teaching: Teaching, words: Iterable[str], counts: TeachingCounts, *, as_is: bool = False
) -> Iterator[LabelChange]:
    """Yield a change for each image to remove, and record those that cannot be removed.

    Args:
        teaching: Taught images in Redis.
        words: What to remove. Each word is the path of an image, folder or archive, or the beginning of a SHA-256.
        counts: Counts to update.
        as_is: Whether the images of array files were taught as they are.

    Raises:
        UsageError: A word is neither a path nor the beginning of a SHA-256, or it begins several SHA-256, or the source
            at its path cannot be opened.
    """
    for word in words:
        found = list(_named(teaching, word, counts, as_is=as_is))
        if not found and not Path(word).exists():
            counts.failures[word] = NOT_TAUGHT
        for sha256, name in found:
            yield LabelChange(sha256, None, name, time.time())


def confirmations(
    teaching: Teaching, words: Iterable[str], counts: TeachingCounts, *, as_is: bool = False
) -> Iterator[LabelChange]:
    """Yield a change for each image that is held back and whose label is confirmed. Record words that name none.

    Args:
        teaching: Taught images in Redis.
        words: What to confirm, as for `removals`. Images that are not held back are passed over.
        counts: Counts to update.
        as_is: Whether the images of array files were taught as they are.

    Raises:
        UsageError: As for `removals`.
    """
    held = {change.sha256: change for change in teaching.label_changes().held}
    for word in words:
        found = [held[sha256] for sha256, _ in _named(teaching, word, counts, as_is=as_is) if sha256 in held]
        if not found:
            counts.failures[word] = NOT_HELD
        for change in found:
            yield LabelChange(change.sha256, change.label, change.name, time.time())


def _named(teaching: Teaching, word: str, counts: TeachingCounts, *, as_is: bool) -> Iterator[tuple[str, str]]:
    """Yield the SHA-256 and the name of each image that a word names, and record images that cannot be read.

    Raises:
        UsageError: As for `removals`.
    """
    if Path(word).exists():
        for image in open_source(word, labels="none", as_is=as_is):
            try:
                yield _sha256(image.name, image.content), image.name
            except ImageError as fault:
                counts.failures[image.name] = fault.failure
        return
    if not _SHA256_START.fullmatch(word):
        raise UsageError(
            f"{word!r} is neither a path nor the beginning of a SHA-256 (4 to 64 of 0 to 9 and a to f). "
            "`digitmill teach --list --json` lists all taught images."
        )
    found = teaching.find(word)
    if len(found) > 1:
        raise UsageError(f"{len(found)} taught images begin with {word}. Type more of the SHA-256.")
    yield from ((sha256, word) for sha256 in found)


def check_labels(
    connection: Connection, changes: Sequence[LabelChange], counts: TeachingCounts, settings: Settings
) -> list[LabelChange]:
    """Let the workers classify the images, and return the changes, with suspicious ones marked to be held back.

    Without an answer, no change is marked.

    Args:
        connection: Connection to the mill.
        changes: Changes that teach images.
        counts: Counts to update.
        settings: Settings of this process.

    Raises:
        Unreachable: Redis did not answer in time.
        UsageError: The journal of the job cannot be written.
    """
    if len(changes) < FEWEST:  # too few to be suspicious
        return list(changes)
    finished = _classify(connection, [cast("NDArray[np.uint8]", change.image) for change in changes], settings)
    if finished is None:
        counts.unchecked = len(changes)
        return list(changes)
    results = finished.results
    labels = np.array([change.label for change in changes])
    digits = np.where(results.classified, results.digits, labels)  # what a worker cannot classify proves nothing
    typical = finished.card.mean_confidences if finished.card else ()
    marks = suspicious(labels, digits, results.confidences, typical)
    return [
        replace(change, looks_like=int(digit)) if mark else change
        for change, digit, mark in zip(changes, digits, marks, strict=True)
    ]


def _classify(connection: Connection, images: Sequence[NDArray[np.uint8]], settings: Settings) -> FinishedJob | None:
    """Let the workers classify images. Return None if none does."""
    if not connection.retry_transient(connection.ledger.workers, timeout=TIMEOUT_SECONDS):
        return None
    # A drained queue refuses the job, and a paused one would let it wait for as long as somebody pleases.
    gate = connection.retry_transient(QueueGate(connection.client).current, timeout=TIMEOUT_SECONDS)
    if gate.state is not GateState.OPEN:
        return None
    options = SubmitOptions(path="", labels="none")
    source = array_source(np.stack(images), "images to teach")
    job = create_job(
        connection,
        options,
        source.description,
        settings,
        detached=False,
        total=source.total,
        timeout=TIMEOUT_SECONDS,
    )
    try:
        return gather_job(connection, job, options, source, settings, timeout=CHECK_SECONDS)
    except (NoWorkers, JobFailed):
        return None


def send(connection: Connection, changes: Iterable[LabelChange], counts: TeachingCounts) -> None:
    """Put changes into the trainer's inbox, and count their effects.

    Args:
        connection: Connection to the mill.
        changes: Changes to send.
        counts: Counts to update.

    Raises:
        NoWorkers: The inbox is full, and no trainer makes room.
        Unreachable: Redis did not answer in time.
        UsageError: There would be more taught images than a trainer keeps.
    """
    teaching = Teaching(connection.client)
    remaining = iter(changes)
    held = connection.retry_transient(lambda: teaching.labels(held=True), timeout=TIMEOUT_SECONDS)
    while batch := list(islice(remaining, BATCH)):
        for change, before in zip(batch, _put(connection, teaching, batch), strict=True):
            if change.label is None:
                counts.removed += before is not None
                if before is None:
                    counts.failures[change.name] = NOT_TAUGHT
            elif change.image is None:
                counts.confirmed += 1
            elif change.looks_like is not None and (before != change.label or change.sha256 in held):
                counts.held.append(change)
            elif before is None:
                counts.new += 1
            elif before == change.label:
                counts.known += 1
            else:
                counts.corrected += 1


def await_kept(connection: Connection) -> int:
    """Give a running trainer time to empty its inbox; return the number of changes that still wait."""
    teaching = Teaching(connection.client)
    trainers = Trainings(connection.client).trainers()
    deadline = time.monotonic() + KEPT_SECONDS
    while (waiting := teaching.waiting()) and trainers and time.monotonic() < deadline:
        time.sleep(0.1)
    return waiting


def _put(connection: Connection, teaching: Teaching, changes: list[LabelChange]) -> list[int | None]:
    """Send changes, and wait for room in the inbox.

    Returns:
        The label that each image had before, or None for an image that was not taught.

    Raises:
        NoWorkers: The inbox is full, and no trainer makes room.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (before := connection.retry_transient(lambda: teaching.send(changes), timeout=TIMEOUT_SECONDS)) is None:
        trainers = connection.retry_transient(Trainings(connection.client).trainers, timeout=TIMEOUT_SECONDS)
        if not trainers:
            raise NoWorkers(
                f"The inbox is full: {MAX_WAITING:,} taught images wait, and no trainer is running. Start one with "
                "`python -m worker.trainer`, then run this command again; it skips what is known."
            )
        if time.monotonic() > deadline:
            raise NoWorkers(
                f"The inbox is full: {MAX_WAITING:,} taught images wait, and the running trainer takes none. Read the "
                "trainer's log for the reason, then run this command again; it skips what is known."
            )
        time.sleep(0.2)
    return before


def _pixels(content: ImageContent | Failure) -> NDArray[np.uint8]:
    if isinstance(content, Failure):
        raise ImageError(*content)
    return preprocess(content) if isinstance(content, bytes) else content


def _sha256(name: str, content: ImageContent | Failure) -> str:
    # The trainer names the files in its folder by their SHA-256.
    stem = Path(name).stem
    return stem if _SHA256.fullmatch(stem) else fingerprint(_pixels(content))
