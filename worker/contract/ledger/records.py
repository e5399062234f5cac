"""What the ledger says of a job and of a worker, as values."""

import json
import secrets
import time
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self

from worker.contract.errors import UnknownFormat, WireError

FORMAT = 1
_ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is mistaken for another when typed from a screen


class JobState(StrEnum):
    """Where a job is in its life."""

    SUBMITTING = "submitting"  # its client is still sending
    RUNNING = "running"  # all sent, not all answered
    DONE = "done"
    DONE_WITH_ERRORS = "done with errors"  # every image answered, some with an error row
    CANCELLED = "cancelled"
    FAILED = "failed"  # its client gave up

    @property
    def ended(self) -> bool:
        """Whether nothing more will change."""
        return self not in (JobState.SUBMITTING, JobState.RUNNING)


def new_job_identifier() -> str:
    """Return an identifier that sorts by time (UTC) and can be typed: `261123-142501-k7q`."""
    stamp = time.strftime("%y%m%d-%H%M%S", time.gmtime())
    return f"{stamp}-{''.join(secrets.choice(_ALPHABET) for _ in range(3))}"


@dataclass(frozen=True, slots=True)
class JobRecord:
    """What is fixed when a job is made.

    Attributes:
        source: what was submitted, in words.
        model: version of the model that classifies all of it.
        client: who submitted it: host and process.
        options: how it was submitted, by option name; enough to read the same source again.
        folder: where its client keeps answers and writes the report; "" for a detached job.
    """

    source: str
    model: str
    client: str
    options: dict[str, Any]
    folder: str

    def to_json(self) -> str:
        """Encode."""
        return json.dumps({"format": FORMAT, **asdict(self)})

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Decode; fields that a newer client added are passed over.

        Raises:
            WireError: no such record, or of a format that this program does not read.
        """
        try:
            body = json.loads(text)
            known = {field.name: body[field.name] for field in fields(cls)}
        except (ValueError, KeyError, TypeError):
            raise WireError("This job's record is damaged. Submit it again.") from None
        if body.get("format") != FORMAT:
            raise UnknownFormat(
                f"This job's record has format {body.get('format')!r}, this program reads {FORMAT}. "
                "Run the same version of digitmill everywhere."
            )
        return cls(**known)


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it stands.

    Attributes:
        identifier: its id.
        record: what is fixed.
        state: where it is.
        created: unix time, seconds.
        ended: unix time, seconds, or None.
        images: sent so far; the total once the state is past `submitting`.
        answered: of those, the ones with a prediction or an error row.
        failed: of those, the ones with an error row.
        open: batches waiting or in work.
        unread: batches answered that its client has not kept yet; all of them if it is detached.
        problem: what hinders it, or "".
    """

    identifier: str
    record: JobRecord
    state: JobState
    created: float
    ended: float | None
    images: int
    answered: int
    failed: int
    open: int
    unacknowledged: int
    problem: str


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """What a worker says of itself.

    Attributes:
        name: unique among all workers.
        ready: whether it can classify already.
        model: version that it serves as the live one.
        model_fault: why that is not the version which is live, or "".
        images: answered since its start.
        started: unix time, seconds.
        seen: unix time, seconds.
        process: id of its classifying process on its host.
        startup_seconds: from the start of its process until it was ready; 0 while it is not.
    """

    name: str
    ready: bool
    model: str
    model_fault: str
    images: int
    started: float
    seen: float
    process: int
    startup_seconds: float
