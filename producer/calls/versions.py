"""Which versions of the model a program means by the names that it gives."""

import time
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from model.errors import UsageError
from worker.contract.connection import as_error
from worker.contract.validation.identifiers import LIVE

if TYPE_CHECKING:
    import redis

REMEMBERED_SECONDS = 1.0
"""Time for which the meaning of a name is remembered. Workers take as long to follow a new live version."""

MAX_REMEMBERED = 256
"""Maximum number of names that are remembered."""


class Versions:
    """Asks Redis what names mean, and remembers it for a moment. Threads may share it.

    Args:
        client: Connection of `connection.connect`.
        where: Address of Redis without its password, for messages.
    """

    def __init__(self, client: "redis.Redis", where: str) -> None:
        self._client, self._where = client, where
        self._found: dict[str, tuple[str, float]] = {}  # version, and time at which it was found, by name

    def known(self, name: str) -> str | None:
        """Return the version that a name means, or `live`; None if only Redis can tell.

        Raises:
            UsageError: The name is not a text.
        """
        if not isinstance(name, str):
            raise UsageError(f"model must be the name of a version, not {name!r}.")
        if name == LIVE:
            return LIVE
        version, since = self._found.get(name, (None, 0.0))
        return version if time.monotonic() - since < REMEMBERED_SECONDS else None

    def find(self, name: str) -> str:
        """Return the version that a name means: a version's name, the beginning of it, or an alias. `live` stays.

        Raises:
            Unreachable: Redis does not answer.
            UsageError: No version has this name, several have it, or it is not a text.
        """
        if known := self.known(name):
            return known
        from worker.contract.registry import Registry  # here, because most programs ask for no version

        try:
            version = Registry(self._client).resolve(name)
        except RedisError as fault:
            raise as_error(fault, self._where) from fault
        if len(self._found) >= MAX_REMEMBERED:
            self._found = {}
        self._found[name] = version, time.monotonic()
        return version
