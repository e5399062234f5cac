"""What a client gets instead of an answer: a status, and a `producer.public.answers.Failed`."""

from collections.abc import Mapping

import msgspec

from model.errors import Failure, FailureCode
from producer.public.answers import Failed, Reason

RETRY_SECONDS = 1
"""Time, in seconds, after which a client may ask again if the mill has too much to do."""

AWAY_SECONDS = 5
"""Time, in seconds, after which a client may ask again if a part of the mill is away."""

JSON = (b"content-type", b"application/json")


class HttpError(Exception):
    """A request is refused, or ends without an answer.

    Attributes:
        status: Status of the response.
        code: Reason, for programs.
        message: Fault and remedy, for people.
        headers: Further headers of the response.
    """

    def __init__(self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]

    @property
    def body(self) -> bytes:
        """The body of the response."""
        return msgspec.json.encode(Failed(error=Reason(code=self.code, message=self.message)))


class Disconnected(Exception):
    """The client has ended the connection, so nobody waits for an answer."""


def refused(failure: Failure) -> HttpError:
    """Return the error of a request with one image that cannot be classified."""
    status = {FailureCode.TOO_LARGE: 413, FailureCode.INTERNAL: 500}.get(failure.code, 422)
    return HttpError(status, str(failure.code), failure.sentence)


def bad_parameter(message: str) -> HttpError:
    """Return the error of a request with a wrong query parameter."""
    return HttpError(400, "bad_parameter", message)


def busy(message: str, code: str = "busy") -> HttpError:
    """Return the error of a request that must wait for others."""
    return HttpError(429, code, message, headers={"Retry-After": str(RETRY_SECONDS)})


def unavailable(code: str, message: str) -> HttpError:
    """Return the error of a request that the mill cannot serve now."""
    return HttpError(503, code, message, headers={"Retry-After": str(AWAY_SECONDS)})


DRAINING = "This server is stopping. Send the request again, to another server or a little later."
