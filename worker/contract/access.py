"""The rights of each Redis user, as the rules of its access control list.

Each user gets the fewest rights that its role needs. Since version 7.0, Redis has rights to read keys without writing
them, and rights to run some commands on some keys only. Scripts run with the rights of the user that calls them. So
no script lets a user do what the user may not do without it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from worker.contract.drift import keys as drift
from worker.contract.gate.keys import GATE
from worker.contract.lane import channels
from worker.contract.lane import keys as lane
from worker.contract.ledger import keys as ledger
from worker.contract.observation import keys as observation
from worker.contract.queues import CLASSIFY_QUEUE, COMMANDS, EVENTS, REPLIES, TRAIN_QUEUE
from worker.contract.registry import keys as registry
from worker.contract.teaching import keys as teaching
from worker.contract.training import keys as training
from worker.contract.users import RedisUser

CONNECTION = (
    "+ping +select +time +info +multi +exec +discard +watch +unwatch +acl|whoami +script|load +script|exists "
    "+client|reply"
)
"""Commands without keys. Everybody may run them."""

READING = (
    "+exists +type +pttl +ttl +get +mget +strlen +hget +hmget +hgetall +hkeys +hvals +hlen +hstrlen +hexists +hscan "
    "+llen +lrange +lindex +smembers +sismember +scard +zrange +zrangebyscore +zrevrange +zrevrangebyscore +zscore "
    "+zcard +zcount +memory|usage"
)
"""Commands that only read the keys that they name."""

WRITING = (
    "+set +incr +incrby +decrby +del +unlink +expire +pexpire +persist +hset +hsetnx +hdel +hincrby +lpush +rpush "
    "+lpop +rpop +blpop +brpop +ltrim +lrem +zadd +zrem +zincrby +zremrangebyscore"
)
"""Commands that change the keys that they name, and no others."""

SCRIPTS = "+eval +evalsha"

_RINGING = "+llen +lpush"
"""Commands with which a role rings a doorbell that it does not hear."""

_REPLYING = "+lpush +pexpire"
_ANSWERS_TOOLS = {"+subscribe +unsubscribe": f"&/*.{COMMANDS}", "+publish": f"&/*.{EVENTS}/*"}
"""Channels of a role that answers Celery's tools, in any database. It uses them only if a setting tells it to."""

_LISTENS = {"+subscribe +unsubscribe": f"&{channels.answers('*')}"}
"""The channels through which answers come. Their names are random, so nobody guesses that of another client."""

_DATABASES = 16
"""Number of databases in which Celery's tools may listen. Redis allows a pattern only if a right has the same text."""

_MODELS = (registry.MODELS, registry.model("*"), registry.ALIASES)
_TEACHING = (teaching.INBOX, teaching.TAUGHT, teaching.HELD, teaching.CHANGES, teaching.KEEPER)
_TRAININGS = (training.TRAININGS, training.training("*"), training.CURRENT, training.LEASE, training.SEEN)


@dataclass(frozen=True, slots=True)
class Rights:
    """The rights of one user. Keys are patterns, in which `*` stands for any text.

    Attributes:
        writes: Keys that the user may read and change.
        reads: Keys that the user may read.
        only: Keys with the commands that the user may run on them. "" for keys that a script of the user names, but
            the user may at most read.
        channels: Commands with the channels, separated by spaces, on which the user may run them.
    """

    writes: Sequence[str]
    reads: Sequence[str] = ()
    only: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)

    def rules(self) -> str:
        """Return the rules of the access control list, without name, state and passwords of the user."""
        keys = [f"~{pattern}" for pattern in self.writes] + [f"%R~{pattern}" for pattern in self.reads]
        # Redis takes each key that is handed to a script as one to be changed, and checks the script's commands again.
        alternatives = {SCRIPTS: [*self.writes, *self.only]}
        for pattern, commands in self.only.items():
            if commands:
                alternatives.setdefault(commands, []).append(pattern)
        selectors = [
            f"({' '.join([commands, *(f'~{pattern}' for pattern in patterns)])})"
            for commands, patterns in alternatives.items()
        ] + [f"({commands} {channels})" for commands, channels in self.channels.items()]
        return " ".join(["resetchannels", "-@all", CONNECTION, READING, WRITING, *keys, *selectors])


RIGHTS: Mapping[RedisUser, Rights] = {
    RedisUser.SUBMITTER: Rights(
        writes=(
            ledger.JOBS,
            ledger.job("*"),
            ledger.manifest("*"),
            ledger.notifications("*"),
            f"{ledger.BATCH_PREFIX}*",
            ledger.OPEN,
            ledger.SENDING,
            ledger.NOTHING,
        ),
        reads=(
            ledger.results("*"),
            ledger.WORKERS,
            ledger.worker("*"),
            *_MODELS,
            registry.MOVES,
            registry.service_counts("*"),
            drift.days("*"),
            observation.RECENT,
            observation.INCIDENTS,
            GATE,
            *_TEACHING,
            *_TRAININGS,
            training.TRAINERS,
            training.trainer("*"),
            training.SCHEDULERS,
            training.SCHEDULE,
        ),
        # It forgets answers, but cannot forge them.
        only={
            ledger.results("*"): "+del +hdel +pexpire",
            CLASSIFY_QUEUE: _RINGING,
            TRAIN_QUEUE: "+llen",
            # It sends calls, but cannot read those of others.
            **dict.fromkeys(lane.CALLS.values(), "+llen +lpush"),
            lane.SENT: "+hget +hincrby +hset",
            ledger.worker("*"): "",
            registry.ALIASES: "",
            registry.model("*"): "",
            registry.service_counts("*"): "",
            drift.days("*"): "",
            observation.RECENT: "",
            GATE: "",
        },
        channels=_LISTENS,
    ),
    RedisUser.WORKER: Rights(
        writes=(
            ledger.job("*"),
            f"{ledger.BATCH_PREFIX}*",
            ledger.OPEN,
            ledger.WORKERS,
            ledger.worker("*"),
            registry.service_counts("*"),
            drift.days("*"),
            observation.RECENT,
            observation.INCIDENTS,
            ledger.NOTHING,
            CLASSIFY_QUEUE,
            *lane.CALLS.values(),
        ),
        reads=(*_MODELS, GATE),
        only={
            GATE: "",
            ledger.JOBS: "+zscore",  # its log says how a job has ended
            ledger.results("*"): "+exists +hset +hsetnx +pexpire",
            ledger.notifications("*"): "+exists +pexpire +rpush",
            ledger.manifest("*"): "+exists +pexpire",
            # It rolls a failing canary back. So it can make live what is published, but cannot publish.
            registry.ALIASES: "+hdel +hset",
            registry.MOVES: "+lpush +ltrim",
            registry.model("*"): "",
            f"*.{REPLIES}": _REPLYING,
        },
        channels={**_ANSWERS_TOOLS, "+publish": f"{_ANSWERS_TOOLS['+publish']} &{channels.answers('*')}"},
    ),
    RedisUser.TRAINER: Rights(
        writes=(
            *_MODELS,
            registry.MOVES,
            registry.service_counts("*"),
            *_TEACHING,
            training.training("*"),
            training.LEASE,
            training.TOKEN,
            training.SEEN,
            training.TRAINERS,
            training.trainer("*"),
            ledger.NOTHING,
            TRAIN_QUEUE,
        ),
        reads=(training.CURRENT,),
        only={
            training.CURRENT: "",
            # It drops old versions, except those that a job needs.
            ledger.JOBS: "+zrange",
            ledger.job("*"): "+hmget",
            f"*.{REPLIES}": _REPLYING,
        },
        channels=_ANSWERS_TOOLS,
    ),
    RedisUser.SCHEDULER: Rights(
        writes=(
            training.SCHEDULERS,
            training.SCHEDULE,
            training.TRAININGS,
            training.training("*"),
            training.CURRENT,
            ledger.NOTHING,
        ),
        reads=(teaching.INBOX, teaching.CHANGES, training.SEEN, registry.ALIASES, drift.days("*")),
        only={TRAIN_QUEUE: _RINGING, registry.ALIASES: "", drift.days("*"): ""},
    ),
    RedisUser.EXPORTER: Rights(
        writes=(),
        reads=(
            ledger.job("*"),
            ledger.WORKERS,
            ledger.worker("*"),
            registry.ALIASES,
            registry.MOVES,
            drift.days("*"),
            observation.RECENT,
            observation.INCIDENTS,
            GATE,
            teaching.CHANGES,
            training.training("*"),
            training.CURRENT,
            training.LEASE,
            training.SEEN,
            training.TRAINERS,
            training.trainer("*"),
            training.SCHEDULERS,
            training.SCHEDULE,
        ),
        # It counts batches, calls and taught images.
        only={
            ledger.OPEN: "+zcard +zrange",
            ledger.JOBS: "+zcard +zrevrange",
            f"{ledger.BATCH_PREFIX}*": "+hmget",
            CLASSIFY_QUEUE: "+llen",
            TRAIN_QUEUE: "+llen",
            **dict.fromkeys(lane.CALLS.values(), "+llen"),
            lane.SENT: "+hget",
            **dict.fromkeys((teaching.INBOX, teaching.TAUGHT, teaching.HELD), "+hlen"),
            ledger.worker("*"): "",
            registry.ALIASES: "",
            drift.days("*"): "",
            observation.RECENT: "",
        },
    ),
    RedisUser.TOOLS: Rights(
        # kombu looks for a list of each priority, notes where replies go, and looks for what it could deliver again.
        writes=("_kombu.binding*", f"*.{REPLIES}*", f"{EVENTS}.*", "unacked_*"),
        only={
            "_kombu.binding*": "+sadd +srem +smembers",
            # They show the lengths of these queues, and of the one that Celery has by default.
            **dict.fromkeys((f"{CLASSIFY_QUEUE}*", f"{TRAIN_QUEUE}*", "celery*"), "+llen"),
        },
        channels={
            "+publish": f"&/*.{COMMANDS}",
            "+psubscribe +punsubscribe": " ".join(f"&/{database}.{EVENTS}/*" for database in range(_DATABASES)),
        },
    ),
    RedisUser.ADMIN: Rights(writes=("digitmill:*", CLASSIFY_QUEUE, TRAIN_QUEUE), channels=_LISTENS),
}


def config_lines(passwords: Mapping[RedisUser, str] | None = None) -> list[str]:
    """Return a line for each user, as `redis.conf` and a file of users (`aclfile`) have it.

    Args:
        passwords: Password of each user. Without them, nobody can log in as one of the users.
    """
    return [
        f"user {user} on {_password(user, passwords) if passwords else 'resetpass'} {rights.rules()}"
        for user, rights in RIGHTS.items()
    ]


def acl_commands(passwords: Mapping[RedisUser, str] | None = None) -> list[str]:
    """Return a command for each user, which creates the user or corrects its rights.

    Args:
        passwords: Password of each user, which replaces its old ones. Without them, an existing user keeps its own.
    """
    return [
        " ".join(
            ["ACL SETUSER", user, "on", "resetkeys", "clearselectors"]
            + (["resetpass", _password(user, passwords)] if passwords else [])
            + [rights.rules()]
        )
        for user, rights in RIGHTS.items()
    ]


def _password(user: RedisUser, passwords: Mapping[RedisUser, str]) -> str:
    """Return a password as its SHA-256, which is all that Redis itself keeps."""
    return f"#{hashlib.sha256(passwords[user].encode()).hexdigest()}"
