"""`python -m worker.health ROLE`: check that this host runs a live process of a role. Containers run it often.

The check passes if Redis answers and has heard from such a process within the last few seconds.
"""

import sys
from collections.abc import Sequence

from worker.import_path import use_own_packages

if __name__ == "__main__":
    use_own_packages()

from redis.exceptions import RedisError

from model.errors import DigitmillError
from worker.contract.connection import connect, explain
from worker.contract.ledger import Ledger
from worker.contract.training import Schedule, Trainings
from worker.process import is_on_this_host
from worker.roles import Role
from worker.settings import Settings, without_password


def live_processes(role: Role, url: str) -> list[str]:
    """Return the names of the live processes of a role. A worker counts only if it is ready.

    Args:
        role: Role of the processes.
        url: URL of the Redis that they report to.

    Raises:
        RedisError: Redis does not answer, or refuses.
        DigitmillError: The URL is invalid, or a record is damaged.
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
    """Return 0 if the check passes. Otherwise print the reason in one line and return 1."""
    if len(arguments) != 1 or arguments[0] not in list(Role):
        return _fail(f"Name one role: {', '.join(Role)}.")
    role = Role(arguments[0])
    try:
        url = Settings.from_environment().server_url
        names = live_processes(role, url)
    except DigitmillError as fault:
        return _fail(str(fault))
    except RedisError as fault:
        return _fail(explain(fault, without_password(url)))
    if not any(is_on_this_host(name) for name in names):
        return _fail(f"Redis has not heard from a {role} on this host for seconds. The log of the {role} may say why.")
    return 0


def _fail(reason: str) -> int:
    print(reason)  # noqa: T201  Docker keeps what a health check prints
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
