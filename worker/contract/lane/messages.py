"""The two messages of the lane: a call, and its answer. Both hold records of the wire format.

Each is a msgpack map with a format version (`model.records`). Sizes are checked before anything is built.
"""

from dataclasses import dataclass
from typing import Self

from msgspec import Struct

from model.records import Damaged, from_msgpack, to_msgpack
from worker.contract.lane.keys import LANE_VERSION, CallKind
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import MAX_BATCH_BYTES, MAX_COUNT, MAX_RESULT_BYTES, MAX_TEXT
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import reading
from worker.contract.wire import Batch, Result

MAX_CALL_IMAGES = 256
"""Maximum number of images in a call. They take a core about 7 ms, so the next call does not wait for long."""

_OVERHEAD = 1024  # bytes of everything else in a message

MAX_CALL_BYTES = MAX_BATCH_BYTES + _OVERHEAD
"""Maximum size of an encoded call."""

MAX_ANSWER_BYTES = MAX_RESULT_BYTES + _OVERHEAD + 4 * MAX_TEXT
"""Maximum size of an encoded answer."""

_REMEDY = "Its client sends it again."


class _CallBody(Struct, frozen=True):
    """A call as it travels."""

    client: str
    number: int
    deadline: int
    model: str
    deaths: int
    batch: bytes
    counted: bool = True


class _AnswerBody(Struct, frozen=True):
    """An answer as it travels, with at most one of `result` and `problem`."""

    number: int
    result: bytes = b""
    problem: str = ""
    died: bool = False
    blamed: bool = False
    beside_jobs: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Images of one client that are classified at once.

    Attributes:
        client: Identifier of the client that waits for the answer.
        number: Number of the call among those of its client.
        deadline: Time after which nobody waits for the answer: unix time of Redis, ms.
        model: Version that classifies the images, or `live`.
        deaths: Number of times that a process has died while it worked on the images.
        batch: The images, at most `MAX_CALL_IMAGES`.
        counted: Whether the images count in rates, metrics, drift and trials of versions.
    """

    client: str
    number: int
    deadline: int
    model: str
    deaths: int
    batch: Batch
    counted: bool = True

    @property
    def kind(self) -> CallKind:
        """What the call carries."""
        return CallKind.FILES if isinstance(self.batch.images, tuple) else CallKind.ARRAYS

    def to_wire(self) -> bytes:
        """Encode the call."""
        return to_msgpack(
            {
                "client": self.client,
                "number": self.number,
                "deadline": self.deadline,
                "model": self.model,
                "deaths": self.deaths,
                "batch": self.batch.to_wire(),
                **({} if self.counted else {"counted": False}),
            },
            version=LANE_VERSION,
        )

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode a call. Its arrays become a read-only view of the data.

        Raises:
            WireError: The data is not a call, or has a version that this program does not read.
        """
        with reading("This call", remedy=_REMEDY):
            _check(len(data) <= MAX_CALL_BYTES, "it is too large")
            body = from_msgpack(_CallBody, data, version=LANE_VERSION)
            identifiers.read(Kind.CALLER, body.client)
            identifiers.read(Kind.VERSION, body.model)
            numbers = (body.number, body.deadline, body.deaths)
            _check(all(0 <= number <= MAX_COUNT for number in numbers), "a number is out of range")
            batch = Batch.from_wire(body.batch)
            _check(0 < len(batch) <= MAX_CALL_IMAGES, "it has too many images, or none")
            return cls(body.client, body.number, body.deadline, body.model, body.deaths, batch, body.counted)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer to one call.

    Attributes:
        number: Number of the call among those of its client.
        result: The answers to its images, or None if there are none yet.
        problem: Why no worker can answer now, such as a model that cannot be loaded; or "".
        died: Whether the process that worked on the call died.
        blamed: Whether the images of the call may be the reason for that.
        beside_jobs: Whether the worker classifies a job as well.
    """

    number: int
    result: Result | None = None
    problem: str = ""
    died: bool = False
    blamed: bool = False
    beside_jobs: bool = False

    def to_wire(self) -> bytes:
        """Encode the answer."""
        body: dict[str, object] = {"number": self.number}
        if self.result is not None:
            body["result"] = self.result.to_wire()
        if self.problem:
            body["problem"] = self.problem[:MAX_TEXT]
        if self.died:
            body |= {"died": True, "blamed": self.blamed}
        if self.beside_jobs:
            body["beside_jobs"] = True
        return to_msgpack(body, version=LANE_VERSION)

    @classmethod
    def from_wire(cls, data: bytes) -> Self:
        """Decode an answer.

        Raises:
            WireError: The data is not an answer, or has a version that this program does not read.
        """
        with reading("This answer", remedy=_REMEDY):
            _check(len(data) <= MAX_ANSWER_BYTES, "it is too large")
            body = from_msgpack(_AnswerBody, data, version=LANE_VERSION)
            _check(0 <= body.number <= MAX_COUNT, "a number is out of range")
            _check(len(body.problem) <= MAX_TEXT, "its problem is too long")
            result = Result.from_wire(body.result) if body.result else None
            return cls(body.number, result, body.problem, body.died, body.blamed, body.beside_jobs)


def _check(right: bool, what: str) -> None:
    if not right:
        raise Damaged(what)
