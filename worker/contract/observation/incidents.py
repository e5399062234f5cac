"""What went wrong in the processes of a mill lately, so that nobody has to read each of their logs."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from model.printable import printable
from model.records import Damaged, from_json, to_json
from worker.contract.observation import keys
from worker.contract.validation import identifiers
from worker.contract.validation.bounds import MAX_TEXT
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import CheckedRedis, Listed, moment, reading

if TYPE_CHECKING:
    import redis

INCIDENTS_KEPT = 100
"""Number of incidents that Redis keeps."""

INCIDENT_SECONDS = 7 * 86400
"""Time after the last incident after which Redis forgets all of them."""

_MAX_BYTES = 8 * MAX_TEXT


@dataclass(frozen=True, slots=True)
class Incident:
    """Something that went wrong in one process, and that the mill has survived.

    Attributes:
        at: Time, by the clock of that process: unix time, seconds.
        process: Name of the process.
        what: What happened, in a sentence.
        ended: Whether a process has ended by it.
    """

    at: float
    process: str
    what: str
    ended: bool = False

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Decode an incident.

        Raises:
            WireError: The text is not one.
        """
        with reading("A record of an incident", remedy=f"`redis-cli DEL {keys.INCIDENTS}` clears them."):
            if len(text) > _MAX_BYTES:
                raise Damaged("it is too long")
            found = from_json(cls, text)
            moment(found.at)
            identifiers.read(Kind.PROCESS, found.process)
            return found


class Incidents:
    """The incidents that Redis keeps. Both methods raise redis-py's errors.

    Args:
        client: Connection of `connection.connect`.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._redis: Any = CheckedRedis(client)

    def record(self, incident: Incident) -> None:
        """Add an incident, and drop the oldest beyond `INCIDENTS_KEPT`."""
        what = printable(incident.what)[:MAX_TEXT]
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.lpush(keys.INCIDENTS, to_json(Incident(incident.at, incident.process, what, incident.ended)))
            pipeline.ltrim(keys.INCIDENTS, 0, INCIDENTS_KEPT - 1)
            pipeline.expire(keys.INCIDENTS, INCIDENT_SECONDS)
            pipeline.execute()

    def latest(self, number: int = INCIDENTS_KEPT) -> Listed[Incident]:
        """Return the latest incidents, newest first."""
        found: Listed[Incident] = Listed()
        for text in self._redis.lrange(keys.INCIDENTS, 0, number - 1):
            found.add(keys.INCIDENTS, partial(Incident.from_json, text))
        return found
