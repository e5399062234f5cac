"""`redis-users`: prints the Redis users, with the rights of each."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from model.errors import UsageError
from producer.cli.exits import exit_on_error
from producer.cli.json_output import print_json
from producer.cli.options import JSON
from producer.public.operating import RedisUsers

if TYPE_CHECKING:
    from worker.contract.users import RedisUser

_SETTING = re.compile(r"\s*(?:export\s+)?(DIGITMILL_\w+_PASSWORD)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s#]*))")


@click.command("redis-users")
@click.option(
    "--passwords",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a line DIGITMILL_WORKER_PASSWORD=… for each user, such as the .env of `make env`.",
)
@click.option("--commands", is_flag=True, help="Print commands for redis-cli, which change a running Redis.")
@JSON
@exit_on_error
def redis_users(passwords: Path | None, commands: bool, as_json: bool) -> None:
    """Print a Redis user for each role.

    Each user has the fewest rights that its role needs. Append the output to `redis.conf`, or to a file of users
    (`aclfile`). Redis must be 7.0 or newer, or Valkey. The output has the SHA-256 of each password, and not the
    password. Without --passwords, nobody can log in as one of these users, but --commands keeps the passwords of
    existing users.

    \b
    Examples:
      digitmill redis-users --passwords .env >> redis.conf
      digitmill redis-users --passwords .env --commands | redis-cli -h redis.example.org
    """
    from worker.contract.access import RIGHTS, acl_commands, config_lines

    given = _read_passwords(passwords) if passwords else None
    if as_json:
        print_json(RedisUsers(users={user: rights.rules() for user, rights in RIGHTS.items()}))
    else:
        click.echo("\n".join(acl_commands(given) if commands else config_lines(given)))


def _read_passwords(path: Path) -> "dict[RedisUser, str]":
    """Return the password of each user.

    Raises:
        UsageError: The file cannot be read, or has no password for a user.
    """
    from worker.contract.users import RedisUser

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not a text file. Name a file with passwords, such as .env.") from None
    settings = {found[1]: found[2] or found[3] or found[4] or "" for line in lines if (found := _SETTING.match(line))}
    missing = [user.password_variable for user in RedisUser if not settings.get(user.password_variable)]
    if missing:
        raise UsageError(f"{path} has no {', '.join(missing)}. `make env` adds what a file .env lacks.")
    return {user: settings[user.password_variable] for user in RedisUser}
