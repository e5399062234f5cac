"""The watcher: from arrivals to rows.

One thread does all of it, and the threads of the client only put answers into a queue. For each file, the order is:
note that it is under way, send its images, write its rows, note that it is done, move it. So whenever the watcher ends,
a file without rows is classified after the next start, and a file with rows is not; it is only moved.
"""

import hashlib
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

from model.errors import DigitmillError, Failure
from producer.calls.client import Client
from producer.calls.prediction import Prediction
from producer.sources.reading import MAX_DOCUMENT_BYTES, read_file
from producer.watching.arrivals import Arrivals, Waker
from producer.watching.moving import Mover
from producer.watching.output import Found, Output
from producer.watching.reading import images_of, is_read, kind_of
from producer.watching.record import Record
from producer.watching.rows import Row
from producer.watching.tree import Stamp, Tree, Version
from worker.contract.errors import NotPermitted, NoWorkers, Unreachable

MAX_IMAGES = 512
"""Maximum number of images under way. They wait for answers in memory."""

MAX_BYTES = 64 * 2**20
"""Size of the images under way, in bytes, from which no further one is sent."""

MAX_FILES = 64
"""Maximum number of files that are taken in before answers are looked at again."""

PAUSE_SECONDS = 1.0
"""Pause before images are sent again, or the mill is looked for again."""

TIMEOUT_SECONDS = 600.0
"""Time within which an image must be answered before it is sent again. It may wait behind those of others."""

LOOK_SECONDS = 5.0
"""Time without an answer after which the watcher looks for the reason."""

ENDING_SECONDS = 10.0
"""Time without an answer after which a watcher that should end leaves the rest to the next start."""


class WatchCounts(NamedTuple):
    """What a watcher has done since its start.

    Attributes:
        done: Number of images with a row.
        review: Number of those that are for review.
        failed: Number of those that failed.
        under_way: Number of files that have arrived and have no rows yet.
        vanished: Number of files that were gone before they were read.
        left_out: Number of files that do not show digits.
    """

    done: int = 0
    review: int = 0
    failed: int = 0
    under_way: int = 0
    vanished: int = 0
    left_out: int = 0


@dataclass(slots=True, eq=False)
class _File:
    """A file under way.

    Attributes:
        version: The version that is read.
        stamp: Its stamp.
        images: Its images that are not read yet.
        names: Names of those that are.
        predictions: Their answers, by index.
        digest: Digest of its content. It is set at the latest when all of its images are read, and stays empty if the
            file cannot be read or has changed.
        is_read: Whether all of its images are read.
        given_up: Whether it has changed or vanished meanwhile.
    """

    version: Version
    stamp: Stamp
    images: Iterator[tuple[str, bytes | Failure]]
    names: list[str] = field(default_factory=list)
    predictions: dict[int, Prediction] = field(default_factory=dict)
    digest: bytes = b""
    is_read: bool = False
    given_up: bool = False

    @property
    def is_answered(self) -> bool:
        return self.is_read and len(self.predictions) == len(self.names)


class _Sent(NamedTuple):
    """An image that was sent."""

    file: _File
    number: int
    content: bytes


class Watcher:
    """Classifies the files of a folder as they arrive.

    Args:
        tree: The folder.
        arrivals: What tells which files have arrived.
        waker: What ends a wait of `arrivals`.
        output: What rows are appended to.
        record: The record, which has read the output.
        mover: What moves files that are done.
        connect: Function that connects to the mill.
        find_problem: Function that returns why the mill gives no answers, as a sentence, or "" if it may just be slow.
        on_notice: Function that shows a sentence to the user.
        on_counts: Function that shows the counts. It is called often.
        clock: Function that returns the time in seconds; it must never go back.
    """

    def __init__(
        self,
        tree: Tree,
        arrivals: Arrivals,
        waker: Waker,
        output: Output,
        record: Record,
        mover: Mover,
        *,
        connect: Callable[[], Client],
        find_problem: Callable[[], str],
        on_notice: Callable[[str], None],
        on_counts: Callable[[WatchCounts], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tree = tree
        self._arrivals = arrivals
        self._waker = waker
        self._output = output
        self._record = record
        self._mover = mover
        self._connect = connect
        self._find_problem = find_problem
        self._on_notice = on_notice
        self._on_counts = on_counts
        self._clock = clock
        self._client: Client | None = None
        self._problems: dict[str, str] = {}
        self._try_at = clock()  # when the mill is tried again
        self._waited_from = self._looked_at = clock()
        self._ending = False
        self._counts = WatchCounts()
        self._resumed = record.under_way()
        self._arrived = OrderedDict.fromkeys(version.name for version in self._resumed)
        self._empty: set[str] = set()  # files that are looked at again
        self._to_read: deque[_File] = deque()
        self._open: dict[Version, _File] = {}
        self._latest: dict[str, _File] = {}  # those of them that were opened last, by name
        self._answers: SimpleQueue[tuple[_Sent, Future[Prediction]]] = SimpleQueue()
        self._again: deque[_Sent] = deque()
        self._images = self._bytes = 0  # under way

    def end(self) -> None:
        """Take no more files, and end after those that are under way. The handler of a signal may call this."""
        self._ending = True
        self._waited_from = self._clock()
        self._waker.wake()

    def run(self) -> WatchCounts:
        """Work until `end` is called, and return the counts.

        Raises:
            DigitmillError: The folder or the output cannot be used any more, or the mill never can.
        """
        try:
            while not (self._ending and self._may_end()):
                for name in self._arrivals.wait(self._pause()):
                    self._arrived[name] = None
                self._collect()
                if not self._ending:
                    self._take()
                self._send()
                self._look()
                self._tell("folder", self._arrivals.problem)
                self._on_counts(self.counts)
        finally:
            if self._client is not None:
                self._client.close(cancel=True)
        return self.counts

    @property
    def counts(self) -> WatchCounts:
        """What was done since the start."""
        return self._counts._replace(under_way=len(self._arrived) + len(self._open))

    def _may_end(self) -> bool:
        """Return whether nothing is under way, or waiting for it is in vain."""
        return not self._open or bool(self._problems.get("mill")) or self._clock() - self._waited_from > ENDING_SECONDS

    def _pause(self) -> float:
        """Return how long there is nothing to do unless something happens."""
        if self._client is None or self._again:
            return max(self._try_at - self._clock(), 0.0)
        return 0.0 if self._may_send() and (self._to_read or (self._arrived and not self._ending)) else PAUSE_SECONDS

    def _may_send(self) -> bool:
        return self._images < MAX_IMAGES and self._bytes < MAX_BYTES

    # Files --------------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Take in files that have arrived."""
        new: list[_File] = []
        while self._arrived and len(self._to_read) + len(new) < MAX_FILES:
            name, _ = self._arrived.popitem(last=False)
            if (file := self._opened(name)) is not None:
                new.append(file)
        if new:
            self._record.begin([file.version for file in new])
            self._to_read.extend(new)
        if self._resumed and not self._arrived:  # all of them are noted again, done, or not there any more
            self._record.give_up([version for version in self._resumed if version not in self._open])
            self._resumed = []

    def _opened(self, name: str) -> _File | None:
        """Return a file that has arrived, or None if there is nothing to read, or it is read already."""
        path = self._tree.path(name)
        stamp = self._tree.stamp(name)
        if stamp is None:
            self._count(vanished=1)
            return None
        if not stamp.size and name not in self._empty:
            self._empty.add(name)  # some programs make a file, close it, and fill it then
            self._arrivals.look_again(name)
            return None
        self._empty.discard(name)
        version = Version(name, stamp.size, stamp.modified)
        if version in self._open or self._is_answered_soon(version):
            return None
        if (failed := self._known(version)) is not None:
            self._mover.move(Path(path), name, failed=failed)
            return None
        kind = kind_of(path)
        if not is_read(kind):
            self._count(left_out=1)
            return None
        file = _File(version, stamp, images_of(path, name, kind))
        self._open[version] = self._latest[name] = file
        return file

    def _is_answered_soon(self, version: Version) -> bool:
        """Return whether the row of a file under way will do, because its name, size and content are the same."""
        before = self._latest.get(version.name)
        if before is None or not before.digest or before.version.size != version.size:
            return False
        return self._digest(version.name) == before.digest

    def _known(self, version: Version) -> bool | None:
        """Return whether an image of a file has failed, or None if the file has no rows yet."""
        failed = self._record.failed(version)
        if failed is not None:
            return failed
        return self._record.failed_by_content(version, lambda: self._digest(version.name))

    def _send(self) -> None:
        """Send what may be sent."""
        if not self._is_connected():
            return
        while self._again and self._clock() >= self._try_at:
            self._submit(self._again.popleft())
        while self._to_read and self._may_send():
            file = self._to_read[0]
            image = next(file.images, None)
            stamp = self._tree.stamp(file.version.name)
            if stamp != file.stamp:
                self._to_read.popleft()
                self._give_up(file, stamp)
            elif image is None:
                file.is_read = True
                if not file.digest:
                    digest = self._digest(file.version.name)
                    file.digest = digest if self._tree.stamp(file.version.name) == file.stamp else b""
                self._to_read.popleft()
                if file.is_answered:
                    self._write([file])
            else:
                self._add(file, *image)

    def _add(self, file: _File, name: str, content: bytes | Failure) -> None:
        index = len(file.names)
        file.names.append(name)
        if isinstance(content, Failure):
            file.predictions[index] = Prediction.failed(content)
            return
        if len(content) == file.version.size:  # it is the file itself, not a page of it
            file.digest = _digest(content)
        if not self._images:
            self._waited_from = self._clock()
        self._images += 1
        self._bytes += len(content)
        self._submit(_Sent(file, index, content))

    def _submit(self, sent: _Sent) -> None:
        assert self._client is not None  # noqa: S101  for mypy

        def put(future: Future[Prediction]) -> None:
            self._answers.put((sent, future))
            self._waker.wake()

        self._client.submit(sent.content, timeout=TIMEOUT_SECONDS).add_done_callback(put)

    def _give_up(self, file: _File, stamp: Stamp | None) -> None:
        """Give up a file that has changed or vanished while it was read."""
        file.given_up = True
        self._close(file)
        self._record.give_up([file.version])
        name = file.version.name
        if stamp is None:
            self._count(vanished=1)
        elif (stamp.node, stamp.size) == (file.stamp.node, file.stamp.size):
            self._arrived[name] = None  # who copies a file with its times sets them in the end
        else:
            self._arrivals.look_again(name)

    def _close(self, file: _File) -> None:
        del self._open[file.version]
        if self._latest.get(file.version.name) is file:
            del self._latest[file.version.name]

    # Answers ------------------------------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Take answers, and write the rows of the files that are complete by them."""
        complete: list[_File] = []
        for _ in range(self._answers.qsize()):
            sent, future = self._answers.get()
            fault = future.exception()
            if isinstance(fault, DigitmillError) and not sent.file.given_up:
                self._tell("mill", str(fault))
                self._try_at = self._clock() + PAUSE_SECONDS
                self._again.append(sent)
                continue
            self._images -= 1
            self._bytes -= len(sent.content)
            if sent.file.given_up:
                continue
            sent.file.predictions[sent.number] = future.result()
            self._waited_from = self._clock()
            self._tell("mill", "")
            if sent.file.is_answered:
                complete.append(sent.file)
        if complete:
            self._write(complete)

    def _write(self, files: list[_File]) -> None:
        """Write the rows of files, and move them."""
        rows, found = [], []
        for file in files:
            predictions = [file.predictions[index] for index in range(len(file.names))]
            version, failed = self._as_now(file), any(each.error is not None for each in predictions)
            rows.append((version, list(map(Row, file.names, predictions))))
            found.append(Found(version, failed, file.digest))
            self._count(
                done=len(predictions),
                review=sum(each.review for each in predictions),
                failed=sum(each.error is not None for each in predictions),
            )
        name, extent = self._output.append(rows)
        self._record.finish(found, [file.version for file in files], name, extent)
        for file in files:
            self._close(file)
        if self._mover.folders:
            self._output.sync()
            for version, failed, _ in found:
                self._move(version, failed=failed)

    def _as_now(self, file: _File) -> Version:
        """Return the version of a file with its present time, if only that has changed."""
        name = file.version.name
        stamp = self._tree.stamp(name)
        if stamp is None or stamp == file.stamp or not file.digest or stamp.size != file.stamp.size:
            return file.version
        is_same = self._digest(name) == file.digest and self._tree.stamp(name) == stamp
        return file.version._replace(modified=stamp.modified) if is_same else file.version

    def _digest(self, name: str) -> bytes:
        """Return the digest of a file's content as it is now, or nothing if it cannot be read."""
        content = read_file(self._tree.path(name), MAX_DOCUMENT_BYTES)
        return _digest(content) if isinstance(content, bytes) else b""

    def _move(self, version: Version, *, failed: bool) -> None:
        """Move a file, unless it is another version by now. If its size is the same and its time is not, look again."""
        stamp = self._tree.stamp(version.name)
        if stamp is None or stamp.size != version.size:
            return
        if stamp.modified != version.modified:
            self._arrived[version.name] = None
        else:
            self._mover.move(Path(self._tree.path(version.name)), version.name, failed=failed)

    def _count(self, **more: int) -> None:
        self._counts = WatchCounts(*map(sum, zip(self._counts, WatchCounts(**more), strict=True)))

    # The mill -----------------------------------------------------------------------------------------------------

    def _is_connected(self) -> bool:
        """Return whether there is a client. Try to connect if there is none."""
        if self._client is None and self._clock() >= self._try_at:
            try:
                self._client = self._connect()
                self._tell("mill", "")
            except (Unreachable, NoWorkers) as fault:
                if isinstance(fault, NotPermitted):
                    raise
                self._tell("mill", str(fault))
                self._try_at = self._clock() + PAUSE_SECONDS
        return self._client is not None

    def _look(self) -> None:
        """Look for the reason if there are no answers."""
        now = self._clock()
        if self._images and now >= max(self._waited_from, self._looked_at) + LOOK_SECONDS:
            self._looked_at = now
            if problem := self._find_problem():
                self._tell("mill", problem)

    def _tell(self, what: str, problem: str) -> None:
        """Show a problem once, and also that it has passed."""
        before = self._problems.get(what, "")
        self._problems[what] = problem
        if problem and not before:
            self._on_notice(f"{problem} Files wait until then.")
        elif before and not problem:
            self._on_notice(f"The {what} is there again.")


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()
