"""`python -m worker.health ROLE`: whether this host's process of that role is alive, for a container's health check.

It is, if Redis answers, and has heard of it within seconds. That is all that is asked, for it is asked often.
"""

import socket
import sys
from collections.abc import Sequence

from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.connection import connect, explain
from worker.contract.ledger import Ledger
from worker.contract.training import Schedule, Trainings
from worker.roles import Role
from worker.settings import DEFAULT_REDIS_URL, Settings, without_password


def alive(role: Role, url: str) -> list[str]:
    """Return the names of the processes of that role that Redis knows to be alive; workers count once they are ready.

    Raises:
        RedisError: as it comes.
        DigitmillError: the URL makes no sense.
    """
    client = connect(url)
    match role:
        case Role.WORKER:
            return [worker.name for worker in Ledger(client, ttl_seconds=0).workers() if worker.ready]
        case Role.TRAINER:
            return Trainings(client).trainers()
        case Role.SCHEDULER:
            return Schedule(client).schedulers()


def main(arguments: Sequence[str]) -> int:
    """Return 0 if it is well, else 1 and why in one line."""
    if len(arguments) != 1 or arguments[0] not in list(Role):
        return _unwell(f"Name a role: {', '.join(Role)}.")
    role, host = Role(arguments[0]), socket.gethostname()
    try:
        url = Settings.from_environment().redis_url or DEFAULT_REDIS_URL
        names = alive(role, url)
    except DigitmillError as fault:
        return _unwell(str(fault))
    except RedisError as fault:
        return _unwell(explain(fault, without_password(url)))
    # A name is the host and the process id.
    if not any(name.rpartition("-")[0] == host for name in names):
        return _unwell(f"No {role} of {host} has been heard of for seconds. Its log may say why.")
    return 0


def _unwell(reason: str) -> int:
    print(reason)  # noqa: T201  Docker keeps what a health check prints
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
