"""`digitmill redis-users` prints what Redis accepts."""

import json

import pytest
import redis
from click.testing import CliRunner

from producer.cli.commands.machine.redis_users import redis_users
from producer.mill.stack import Stack
from tests.support.users import add_users
from worker.contract.connection import connect
from worker.contract.users import RedisUser


@pytest.fixture
def client(tmp_path):
    """A server of this test's own."""
    with Stack(tmp_path / "server", 0) as stack:
        client = connect(stack.url)
        add_users(client)  # skips the test if the server is too old
        for user in RedisUser:
            client.acl_deluser(user)
        yield client


@pytest.fixture
def passwords(tmp_path):
    """A file with the password of each user, in the spellings that Compose reads."""
    file = tmp_path / "passwords"
    spellings = [
        "{}=secret0",
        "export {}=secret1",
        "{} = secret2",
        '{}="secret3"',
        "{}=secret4 # the owner's",
        "{}='secret5'",
        "{}=secret6",
    ]
    lines = [form.format(user.password_variable) for form, user in zip(spellings, RedisUser, strict=True)]
    file.write_text("\n".join(["# passwords", "DIGITMILL_UID=1000", *lines]))
    return file


def printed(*words):
    """Run the command. Return what it printed."""
    done = CliRunner().invoke(redis_users, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


def log_in(client: "redis.Redis", user, password):
    """Log in as a user. Return the name that Redis then knows."""
    path = client.connection_pool.connection_kwargs["path"]
    return connect(f"unix://{user}:{password}@{path}").acl_whoami()


def test_the_commands_create_the_users_and_keep_passwords_later(client, passwords):
    """Without passwords, they only correct the rights of users who exist."""
    for words in ([], ["--passwords", passwords], []):
        for command in printed("--commands", *words).splitlines():
            assert client.execute_command(*command.split()) in (True, b"OK", "OK")
    for number, user in enumerate(RedisUser):
        assert log_in(client, user, f"secret{number}") == user


def test_without_a_password_nobody_can_log_in(client):
    """A forgotten password must not open Redis."""
    for command in printed("--commands").splitlines():
        client.execute_command(*command.split())
    for password in ("", "x"):
        with pytest.raises(redis.AuthenticationError):
            log_in(client, RedisUser.ADMIN, password)


def test_no_password_is_printed(passwords):
    """There are only their checksums."""
    assert "secret" not in printed("--passwords", passwords) + printed("--passwords", passwords, "--commands")


def test_a_missing_password_is_named(tmp_path):
    """The message has the variables, and the command that makes them."""
    (tmp_path / "old").write_text("DIGITMILL_REDIS_PASSWORD=secret\nDIGITMILL_ADMIN_PASSWORD=\n")
    done = CliRunner().invoke(redis_users, ["--passwords", str(tmp_path / "old")])
    assert done.exit_code == 2
    assert all(user.password_variable in done.stderr for user in RedisUser)
    assert "`make env`" in done.stderr


def test_json_has_the_rules_of_each_user():
    """Programs that manage users read them by name."""
    rules = json.loads(printed("--json"))["users"]
    assert list(rules) == list(RedisUser)
    assert all("-@all" in words for words in rules.values())
