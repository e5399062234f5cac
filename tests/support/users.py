"""The Redis users, for tests: gives them to a server, and returns the URL of each."""

import pytest
import redis

from worker.contract.access import acl_commands
from worker.contract.users import RedisUser

PASSWORDS = {user: f"password-of-{user}" for user in RedisUser}


def add_users(client: "redis.Redis") -> None:
    """Give every user of digitmill to a server, and forget what it has refused so far."""
    version = str(client.info("server")["redis_version"])
    if int(version.partition(".")[0]) < 7:
        pytest.skip(f"Redis {version} does not know rights to read only")
    for command in acl_commands(PASSWORDS):
        client.execute_command(*command.split())
    client.acl_log_reset()


def url_for(url: str, user: RedisUser) -> str:
    """Return the URL of a server with one of its users."""
    scheme, rest = url.split("://")
    return f"{scheme}://{user}:{PASSWORDS[user]}@{rest}"


def refusals(client: "redis.Redis") -> list[str]:
    """Return what a server has refused since it got the users: who, what, and whether in a script."""
    return [f"{entry['username']} {entry['object']} ({entry['context']})" for entry in client.acl_log()]
