"""Everything that can be set, read once from `DIGITMILL_*` variables into one frozen object."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

import platformdirs

from model.errors import UsageError

DEFAULT_REDIS_URL = "redis://localhost:6379/0"
_SCHEMES = ("redis", "rediss", "unix")
_MIN_DURATION, _MAX_DURATION = 0.001, 1e6
"""Of any duration, in its own unit: Redis counts in whole milliseconds, and in no more than 63 bits of them."""
_CRON_PART = re.compile(r"(?:\*|\w+-\w+)(?:/\d+)?|\w+")

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a process of digitmill needs to know about its surroundings.

    Attributes:
        redis_url: where the ledger and the doorbell are (`redis://`, `rediss://` or `unix://`), or None where nothing
            is set: then the local stack's own server is meant.
        data: folder of the local stack (the embedded server's files); private to its user.
        mnist: folder with MNIST's four IDX files or `mnist.npz`, or None for cache and download.
        cache: folder where downloads are kept.
        offline: never download.
        lease_seconds: how long a worker may be silent about a batch before another may take it.
        time_limit_seconds: how long one batch may be worked on before its process is killed.
        result_days: how long a job's record and its uncollected results are kept.
        reconcile: whether overdue batches are rung again. Off only to show what it is for.
        log_level: of worker processes, a name of the `logging` module.
        retrain_cron: when the scheduler asks for a training, as five fields of cron in UTC; None: never.
        retrain_always: whether it asks also when nothing was taught since the last training.
        retrain_quick: whether it asks for quick trainings.
    """

    redis_url: str | None
    data: Path
    mnist: Path | None
    cache: Path
    offline: bool
    lease_seconds: float
    time_limit_seconds: float
    result_days: float
    reconcile: bool
    log_level: str
    retrain_cron: str | None
    retrain_always: bool
    retrain_quick: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings; an empty variable counts as unset.

        Args:
            environment: the variables; those of this process by default.

        Raises:
            UsageError: a variable has a value that makes no sense; the message names it.
        """
        variables = os.environ if environment is None else environment

        def read(name: str, parse: Callable[[str], _Value], default: _Value) -> _Value:
            text = variables.get(name, "").strip()
            if not text:
                return default
            try:
                return parse(text)
            except ValueError as fault:
                raise UsageError(
                    f"{name}={without_password(text)!r} is no good: {fault}. Correct or unset it."
                ) from None

        return cls(
            redis_url=read("DIGITMILL_REDIS_URL", _redis_url, None),
            data=read("DIGITMILL_DATA", _folder, Path(platformdirs.user_data_dir("digitmill", appauthor=False))),
            mnist=read("DIGITMILL_MNIST", _folder, None),
            cache=read("DIGITMILL_CACHE", _folder, Path(platformdirs.user_cache_dir("digitmill", appauthor=False))),
            offline=read("DIGITMILL_OFFLINE", _switch, False),
            lease_seconds=read("DIGITMILL_LEASE_SECONDS", _positive, 10.0),
            time_limit_seconds=read("DIGITMILL_TIME_LIMIT_SECONDS", _positive, 60.0),
            result_days=read("DIGITMILL_RESULT_DAYS", _positive, 7.0),
            reconcile=read("DIGITMILL_RECONCILE", _switch, True),
            log_level=read("DIGITMILL_LOG_LEVEL", _log_level, "INFO"),
            retrain_cron=read("DIGITMILL_RETRAIN_CRON", _cron, None),
            retrain_always=read("DIGITMILL_RETRAIN_ALWAYS", _switch, False),
            retrain_quick=read("DIGITMILL_RETRAIN_QUICK", _switch, True),
        )


def without_password(url: str) -> str:
    """Return the URL fit for a log or a message: its password, if any, replaced by `***`."""
    # By pattern, since what is no proper URL ends in messages as well. Up to the last @: a password may contain one.
    url = re.sub(r"^((?:\w+://)?+[^:@/]*):.*@", r"\1:***@", url)
    return re.sub(r"([?&]\w*password=)[^&#]*", r"\1***", url)


def _redis_url(text: str) -> str:
    if text.partition("://")[0] not in _SCHEMES:
        raise ValueError(f"a Redis URL starts with {', '.join(s + '://' for s in _SCHEMES)}")
    try:
        _ = urlsplit(text).port
    except ValueError:
        raise ValueError("host or port make no sense (special characters of a password are written %XX)") from None
    return text


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("there is no such home folder") from None


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("it must be a number") from None
    if not _MIN_DURATION <= number <= _MAX_DURATION:
        raise ValueError(f"it must be from {_MIN_DURATION:g} to {_MAX_DURATION:,.0f}")
    return number


def _switch(text: str) -> bool:
    values = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if text.lower() not in values:
        raise ValueError("it must be 1 or 0")
    return values[text.lower()]


def _log_level(text: str) -> str:
    level = text.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise ValueError("it must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
    return level


def _cron(text: str) -> str:
    from celery.schedules import crontab

    fields = text.split()
    # Celery reads a part's beginning and passes over the rest; it must be all of it.
    if len(fields) != 5 or not all(_CRON_PART.fullmatch(part) for field in fields for part in field.split(",")):
        raise ValueError(
            "it must be five fields of cron, minute, hour, day of the month, month and day of the week: '0 3 * * *' is "
            "every day at 3:00 UTC"
        )
    cron = " ".join(fields)
    try:
        crontab.from_string(cron)
    except ValueError as fault:
        raise ValueError(f"it is no schedule of cron's ({str(fault).rstrip('.')})") from None
    return cron
