"""The Redis users, one for each role, and what to say when Redis does not let one of them do something."""

import re
from enum import StrEnum

from redis.exceptions import NoPermissionError, RedisError

_IN_SCRIPT = re.compile(r"ACL failure in script|The user executing the script can't")
"""How Redis and Valkey begin their refusals of a command inside a script. These have no error class of their own."""

_NAMED = re.compile(r"\bUser (\S+) has no permissions|://([^:@/]+):\S*@")
"""Names the user: in the reason that Redis 7.2 and newer give, or in a URL without its password."""


class RedisUser(StrEnum):
    """The names of the users. `worker.contract.access` has their rights."""

    SUBMITTER = "digitmill-submitter"  # sends jobs and gathers their answers
    WORKER = "digitmill-worker"
    TRAINER = "digitmill-trainer"
    SCHEDULER = "digitmill-scheduler"
    EXPORTER = "digitmill-exporter"  # only looks at the mill
    TOOLS = "digitmill-tools"  # Celery's own tools, if workers answer them
    ADMIN = "digitmill-admin"  # all that digitmill does: teaches, trains, and changes the model as well

    @property
    def password_variable(self) -> str:
        """The name of the variable in `.env` that holds the password."""
        return f"{self.upper().replace('-', '_')}_PASSWORD"


def is_refused(fault: RedisError) -> bool:
    """Return whether Redis refuses because its user does not have the rights."""
    return isinstance(fault, NoPermissionError) or bool(_IN_SCRIPT.match(str(fault)))


def explain_refusal(fault: RedisError, where: str) -> str:
    """Return what a refusal means, and what to do about it.

    Args:
        fault: Refusal, for which `is_refused` is true.
        where: Name of the server for the message, without its password.
    """
    # What follows is the checksum of the script.
    reason = str(fault).removeprefix("ACL failure in script: ").partition(" script: ")[0].rstrip(".")
    named = _NAMED.search(f"{reason} {where}")
    user = (named and (named[1] or named[2])) or ""
    if user == RedisUser.ADMIN:
        remedy = "Give it the rights that `digitmill redis-users` prints."
    else:
        remedy = (
            f"The user {RedisUser.ADMIN} may do it: put its name and password into DIGITMILL_REDIS_URL, or run this as "
            "`docker compose run --rm admin …`."
        )
    return f"{where} does not let its user{f' {user}' if user else ''} do this ({reason}). {remedy}"
