"""Facts about the rights of the Redis users. `tests/system/test_redis_users.py` shows that they suffice."""

import re
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest
import redis

from producer.mill.stack import Stack
from tests.support.users import add_users, url_for
from worker.contract.access import READING, RIGHTS, WRITING, config_lines
from worker.contract.connection import connect, retry_transient
from worker.contract.doorbell import Doorbell
from worker.contract.errors import NotPermitted
from worker.contract.ledger import JobRecord, Ledger, Part, Window
from worker.contract.queues import CLASSIFY_QUEUE
from worker.contract.registry import Registry, Retention
from worker.contract.training import Trainings
from worker.contract.users import RedisUser
from worker.contract.wire import Batch, Manifest

CONTRACT = Path(__file__).parents[3] / "worker" / "contract"
ROOMS = ("gate", "lane", "ledger", "observation", "registry", "teaching", "training")


@pytest.fixture
def as_user(server: Stack, client: "redis.Redis"):
    """Connect to a server as one of its users."""
    add_users(client)
    return lambda user: connect(url_for(server.url, user))


def keys_of(room: str) -> list[str]:
    """Return the keys and patterns of keys that the docstring of a module `keys` lists."""
    text = import_module(f"worker.contract.{room}.keys").__doc__ or ""
    return [re.sub(r"<.*>", "x", key) for key in re.findall(r"^\s*(digitmill:\S+)  ", text, re.MULTILINE)]


@pytest.mark.parametrize("room", ROOMS)
def test_every_key_is_of_a_role(room: str) -> None:
    """Some role beside the admin may change it. So nobody adds a key and forgets who needs it."""
    others = [rights for user, rights in RIGHTS.items() if user is not RedisUser.ADMIN]
    keys = keys_of(room)
    assert keys
    for key in keys:
        assert any(fnmatchcase(key, pattern) for rights in others for pattern in (*rights.writes, *rights.only)), key


@pytest.mark.parametrize("room", ROOMS)
def test_the_list_of_keys_is_complete(room: str) -> None:
    """The docstring names each key that the module spells."""
    source = (CONTRACT / room / "keys.py").read_text()
    spelled = {re.sub(r"\{.*|:$", "", key) for key in re.findall(r'"(digitmill:[^"]+)"', source)}
    listed = keys_of(room)
    assert spelled
    assert all(any(key.startswith(one) for key in listed) for one in spelled)


@pytest.mark.parametrize(
    "script", sorted(CONTRACT.rglob("*.lua")), ids=lambda path: f"{path.parent.parent.name}-{path.stem}"
)
def test_every_command_of_a_script_is_permitted(script: Path) -> None:
    """No script uses a command that no user has."""
    commands = {
        f"+{command.lower()}" for command in re.findall(r"redis\.call\('(\w+)'", script.read_text(encoding="utf-8"))
    }
    assert commands <= {*READING.split(), *WRITING.split(), "+time"}


def test_the_image_of_redis_has_these_rights() -> None:
    """`digitmill redis-users > docker/users.conf` writes the file again."""
    file = Path(__file__).parents[3] / "docker" / "users.conf"
    assert file.read_text().splitlines() == config_lines()


SECRETS = [
    ("GET", "another-application"),
    ("SET", "another-application", "x"),
    ("SET", "digitmill", "x"),
    ("DEL", "unacked"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("FLUSHALL",),
    ("CONFIG", "GET", "requirepass"),
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("PUBLISH", "channel", "x"),
    ("EVAL", "return redis.call('GET', 'another-application')", "0"),
]


@pytest.mark.parametrize("user", RedisUser)
def test_no_user_reaches_what_is_not_of_digitmill(as_user, user: RedisUser) -> None:
    """Keys of others, secrets of Redis, and connections of others are refused, in scripts too."""
    client = as_user(user)
    for words in SECRETS:
        with pytest.raises(NotPermitted):
            retry_transient(partial(client.execute_command, *words), timeout=0)


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (RedisUser.SUBMITTER, ("HSET", "digitmill:results:x", "0.0.1", "forged")),
        (RedisUser.SUBMITTER, ("HSET", "digitmill:aliases", "live", "x")),
        (RedisUser.SUBMITTER, ("HSET", "digitmill:worker:x", "seen", "1")),
        (RedisUser.SUBMITTER, ("HSET", "digitmill:teaching-inbox", "x", "y")),
        (RedisUser.SUBMITTER, ("BRPOP", "digitmill.classify", "1")),
        (RedisUser.SUBMITTER, ("LPUSH", "digitmill.train", "x")),
        (RedisUser.SUBMITTER, ("BRPOP", "digitmill:lane1:files", "1")),
        (RedisUser.SUBMITTER, ("LRANGE", "digitmill:lane1:arrays", "0", "-1")),
        (RedisUser.WORKER, ("SUBSCRIBE", "digitmill:lane1:answers:x")),
        (RedisUser.WORKER, ("HSET", "digitmill:model:x", "card", "forged")),
        (RedisUser.WORKER, ("DEL", "digitmill:aliases")),
        (RedisUser.WORKER, ("HGETALL", "digitmill:results:x")),
        (RedisUser.WORKER, ("HGETALL", "digitmill:manifest:x")),
        (RedisUser.WORKER, ("HGETALL", "digitmill:taught")),
        (RedisUser.WORKER, ("SET", "digitmill:training-lease", "x")),
        (RedisUser.TRAINER, ("HGETALL", "digitmill:job:x")),
        (RedisUser.TRAINER, ("HGETALL", "digitmill:batch:x")),
        (RedisUser.TRAINER, ("LPUSH", "digitmill.classify", "x")),
        (RedisUser.SCHEDULER, ("HGETALL", "digitmill:job:x")),
        (RedisUser.SCHEDULER, ("HSET", "digitmill:aliases", "live", "x")),
        (RedisUser.SCHEDULER, ("HGETALL", "digitmill:taught")),
        (RedisUser.EXPORTER, ("HSET", "digitmill:aliases", "live", "x")),
        (RedisUser.EXPORTER, ("HGETALL", "digitmill:taught")),
        (RedisUser.EXPORTER, ("HGETALL", "digitmill:results:x")),
        (RedisUser.EXPORTER, ("HGETALL", "digitmill:manifest:x")),
        (RedisUser.EXPORTER, ("LPUSH", "digitmill.classify", "x")),
        (RedisUser.EXPORTER, ("DEL", "digitmill:job:x")),
    ],
    ids=str,
)
def test_no_role_reaches_what_is_of_another(as_user, user: RedisUser, words: tuple[str, ...]) -> None:
    """A submitter cannot forge answers, a worker cannot publish, and nobody reads names or images without need."""
    with pytest.raises(NotPermitted, match=rf"user {user} do this"):
        retry_transient(
            lambda: as_user(user).execute_command(*words), timeout=0, where=f"redis://{user}:***@redis:6379"
        )


def test_a_trainer_drops_old_versions_but_none_that_a_job_needs(as_user, variant) -> None:
    """It reads which version a job needs, and cannot change jobs. Only the admin deletes versions on request."""
    submitter, trainer, admin = map(as_user, (RedisUser.SUBMITTER, RedisUser.TRAINER, RedisUser.ADMIN))
    registry, versions = Registry(trainer), []
    for name in ("needed", "old", "new"):
        card, files = variant(name)
        registry.publish(card, files, retention=Retention(1))
        versions.append(card.version)
        if name == "needed":
            Ledger(submitter, ttl_seconds=60).create("job-1", JobRecord("scans/", card.version, "host-1", {}, ""))
    needed, _, new = versions
    assert [each.version for each in registry.versions()] == [new, needed, registry.baseline.version]
    for client, words in ((submitter, "DEL digitmill:model:x"), (trainer, "HSET digitmill:job:job-1 state done")):
        with pytest.raises(NotPermitted):
            retry_transient(partial(client.execute_command, *words.split()), timeout=0)
    with pytest.raises(NotPermitted):
        retry_transient(lambda: Registry(submitter).delete([new]), timeout=0)
    Registry(admin).delete([new])
    assert [each.version for each in registry.versions()] == [needed, registry.baseline.version]


def test_a_submitter_rings_in_the_step_that_stores_a_batch(as_user, client) -> None:
    """It may do nothing else with the doorbells, so the script does not name their list as one of its keys."""
    ledger, part = Ledger(as_user(RedisUser.SUBMITTER)), Part("job-1", 0, 0, 1)
    ledger.create("job-1", JobRecord("scans/", "live", "host-1", {}, ""))
    names = Manifest(("a",), (None,), {})
    doorbell = Doorbell.message(part)
    assert ledger.submit(part, Batch((b"x",)), names, Window(9, 99), detached=False, doorbell=doorbell) == 1
    assert client.lrange(CLASSIFY_QUEUE, 0, -1) == [doorbell[1].encode()]


def test_everybody_who_sees_trainers_sees_what_hinders_them(as_user) -> None:
    """Only trainers say it."""
    submitter, trainer = (Trainings(as_user(user)) for user in (RedisUser.SUBMITTER, RedisUser.TRAINER))
    trainer.announce("trainer-1", "The disk is full.")
    assert submitter.faults(submitter.trainers()) == {"trainer-1": "The disk is full."}
    trainer.remove_trainer("trainer-1")
    assert submitter.faults(["trainer-1"]) == {}


def test_an_admin_without_a_right_is_told_to_renew_its_rights(server: Stack, client: "redis.Redis") -> None:
    """A newer digitmill may need more rights than the server has given."""
    add_users(client)
    client.execute_command("ACL", "SETUSER", RedisUser.ADMIN, "resetkeys")
    admin = connect(url_for(server.url, RedisUser.ADMIN))
    with pytest.raises(NotPermitted, match=r"Give it the rights that `digitmill redis-users` prints\."):
        retry_transient(
            lambda: admin.get("digitmill:taught-changes"), timeout=0, where=f"redis://{RedisUser.ADMIN}:***@redis"
        )
