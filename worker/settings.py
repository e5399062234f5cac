"""The settings, read once from `DIGITMILL_*` variables into one frozen object."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar

import platformdirs

from model.errors import UsageError
from worker.redis_address import check_authorities, with_authorities

_DEFAULT_REDIS_URL = "redis://localhost:6379/0"
_MIN_DURATION, _MAX_DURATION = 0.001, 1e6
"""Limits of every duration, in its own unit. Redis counts whole milliseconds in 63 bits."""
_MAX_VERSIONS = 1000
"""At 1.4 MB each, they would take more memory than most servers give Redis."""
_MAX_PORT = 65535
_CRON_PART = re.compile(r"(?:\*|\w+-\w+)(?:/\d+)?|\w+")

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process.

    Attributes:
        redis_url: URL of the Redis that holds the ledger and the doorbell, as `RedisAddress` reads it. None if it is
            not set; the command line then uses the local stack's own server. With `rediss://`, it names the
            authorities of `DIGITMILL_REDIS_CA`, so that whoever has the URL verifies the server.
        data: Folder of the local stack, with the embedded server's files. Private to its user. A user without a home
            folder who has not set it has a relative path, which `model.private_files` refuses when it is needed.
        mnist: Folder that holds MNIST's four IDX files or `mnist.npz`. None: use the cache, or download them.
        cache: Folder for downloads, likewise.
        offline: Whether downloads are forbidden.
        lease_seconds: Time without a heartbeat of a worker, after which another worker may take its batch.
        time_limit_seconds: Time that one batch may take before its process is killed.
        result_days: Lifetime, in days, of a job's record and of results that nobody collects.
        reconcile: Whether workers ring again for overdue batches. It is False only to show what the reconciler does.
        log_level: Log level of the processes of all roles, by its name in the `logging` module.
        retrain_cron: Times at which the scheduler asks for a training, as five cron fields in UTC. None: never.
        retrain_always: Whether the scheduler asks for a training even if nothing was taught since the last one.
        retrain_quick: Whether the scheduler asks for quick trainings.
        http_token: What clients of `digitmill serve` must present. None: the server answers only this machine.
        retrain_on_drift: Whether the scheduler asks for a training if what the live version answers has drifted.
        versions_kept: Number of newest versions of the model that whoever publishes another one keeps.
        version_days: Age, in days, beyond which versions are not kept. None: keep them.
        log_format: How the processes of all roles and of `digitmill serve` log: `text` or `json`.
        traces: Whether clients and workers send the spans of jobs and batches to a collector of OpenTelemetry.
        metrics_port: First of the ports on which a process may show its metrics. None: it counts and shows nothing.
        metrics_host: Address on which it shows them.
        celery_tools: Whether workers and trainers answer Celery's own tools, and send events.
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
    http_token: str | None = field(repr=False)
    retrain_on_drift: bool
    versions_kept: int
    version_days: float | None
    log_format: str
    traces: bool
    metrics_port: int | None
    metrics_host: str
    celery_tools: bool

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the settings. An empty variable counts as unset.

        Args:
            environment: Environment variables; those of this process by default.

        Raises:
            UsageError: A variable has an invalid value. The message names the variable.
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
                    f"{name}={without_password(text)!r} is invalid: {fault}. Correct or unset it."
                ) from None

        authorities = read("DIGITMILL_REDIS_CA", _authorities, None)
        return cls(
            redis_url=read("DIGITMILL_REDIS_URL", lambda url: with_authorities(url, authorities), None),
            data=read("DIGITMILL_DATA", _folder, _own_folder(platformdirs.user_data_dir)),
            mnist=read("DIGITMILL_MNIST", _folder, None),
            cache=read("DIGITMILL_CACHE", _folder, _own_folder(platformdirs.user_cache_dir)),
            offline=read("DIGITMILL_OFFLINE", _switch, False),
            lease_seconds=read("DIGITMILL_LEASE_SECONDS", _positive, 10.0),
            time_limit_seconds=read("DIGITMILL_TIME_LIMIT_SECONDS", _positive, 60.0),
            result_days=read("DIGITMILL_RESULT_DAYS", _positive, 7.0),
            reconcile=read("DIGITMILL_RECONCILE", _switch, True),
            log_level=read("DIGITMILL_LOG_LEVEL", _log_level, "INFO"),
            retrain_cron=read("DIGITMILL_RETRAIN_CRON", _cron, None),
            retrain_always=read("DIGITMILL_RETRAIN_ALWAYS", _switch, False),
            retrain_quick=read("DIGITMILL_RETRAIN_QUICK", _switch, True),
            http_token=read("DIGITMILL_HTTP_TOKEN", str, None),
            retrain_on_drift=read("DIGITMILL_RETRAIN_ON_DRIFT", _switch, False),
            versions_kept=read("DIGITMILL_VERSIONS_KEPT", _versions, 20),
            version_days=read("DIGITMILL_VERSION_DAYS", _positive, None),
            log_format=read("DIGITMILL_LOG_FORMAT", _log_format, "text"),
            traces=read("DIGITMILL_TRACES", _switch, False),
            metrics_port=read("DIGITMILL_METRICS_PORT", _port, None),
            metrics_host=read("DIGITMILL_METRICS_HOST", str, "127.0.0.1"),
            celery_tools=read("DIGITMILL_CELERY_TOOLS", _switch, False),
        )

    @property
    def server_url(self) -> str:
        """The URL to connect to: `redis_url`, or Redis' default port on this machine if that is not set."""
        return self.redis_url or _DEFAULT_REDIS_URL

    @property
    def result_seconds(self) -> float:
        """`result_days` in seconds."""
        return self.result_days * 86400

    @property
    def version_seconds(self) -> float | None:
        """`version_days` in seconds."""
        return None if self.version_days is None else self.version_days * 86400


def log_format(environment: Mapping[str, str] | None = None) -> str:
    """Return the format of the log, also if the settings cannot be read: `json`, or `text` if nothing valid is set.

    Args:
        environment: Environment variables; those of this process by default.
    """
    variables = os.environ if environment is None else environment
    try:
        return _log_format(variables.get("DIGITMILL_LOG_FORMAT", "").strip())
    except ValueError:
        return "text"


def wants_colours(environment: Mapping[str, str] | None = None) -> bool | None:
    """Return whether the user wants colours (True) or none (False), whatever the output is; None if nothing says so.

    `NO_COLOR` and `FORCE_COLOR` are those of https://no-color.org and https://force-color.org. Rich obeys both itself.

    Args:
        environment: Environment variables; those of this process by default.
    """
    variables = os.environ if environment is None else environment
    if variables.get("NO_COLOR") or variables.get("TERM", "").lower() in ("dumb", "unknown"):
        return False
    return True if variables.get("FORCE_COLOR") else None


def without_password(url: str) -> str:
    """Return the URL with `***` in place of its password, for logs and messages."""
    # Text is searched, because messages also show invalid URLs.
    url = re.sub(r"([?&]\w*password=)[^&]*", r"\1***", url)
    login, at, rest = url.rpartition("@")  # the last @, because a password may contain one
    if not at:
        # Without an @, what should be a port may be a password.
        others = r"(?:,(?:\[[^\]]*\]|[^\[:,/?#]*)(?::\d+)?)*" if url.startswith("sentinel") else ""
        return re.sub(rf"^(\w+://(?:\[[^\]]*\]|[^\[:/?#]*)):(?!\d*{others}(?:[/?#]|$))[^/?#]*", r"\1:***", url)
    scheme, separator, login = login.rpartition("://") if login.count("://") == 1 else ("", "", login)
    user, colon, _ = login.partition(":")
    if not colon:
        # Whoever forgets the colon before a password makes it a user. The path of a socket is neither.
        return url if login.startswith("/") else f"{scheme}{separator}***@{rest}"
    return f"{scheme}{separator}{user if '/' not in user else ''}:***@{rest}"


def _authorities(text: str) -> Path:
    file = _folder(text)
    check_authorities(str(file))
    return file


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise ValueError("that home folder does not exist") from None


def _own_folder(find: Callable[..., str]) -> Path:
    """Return this user's folder for digitmill, or a relative path for a user who does not have a home folder.

    Args:
        find: Function of platformdirs. It fails where neither HOME nor the list of users names a home folder, as for
            the users that `docker run --user` makes up.
    """
    try:
        return Path(find("digitmill", appauthor=False))
    except RuntimeError:
        return Path("~", "digitmill")


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("it must be a number") from None
    if not _MIN_DURATION <= number <= _MAX_DURATION:
        raise ValueError(f"it must be from {_MIN_DURATION:g} to {_MAX_DURATION:,.0f}")
    return number


def _versions(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MAX_VERSIONS:
        raise ValueError(f"it must be a whole number from 1 to {_MAX_VERSIONS:,}")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= _MAX_PORT:
        raise ValueError(f"it must be a whole number from 1 to {_MAX_PORT}")
    return int(text)


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


def _log_format(text: str) -> str:
    if text.lower() not in ("text", "json"):
        raise ValueError("it must be text or json")
    return text.lower()


def _cron(text: str) -> str:
    from celery.schedules import crontab

    fields = text.split()
    # Celery reads the beginning of a part and ignores the rest, so the whole part is checked here.
    if len(fields) != 5 or not all(_CRON_PART.fullmatch(part) for field in fields for part in field.split(",")):
        raise ValueError(
            "it must have five cron fields: minute, hour, day of the month, month, day of the week ('0 3 * * *' means "
            "every day at 3:00 UTC)"
        )
    cron = " ".join(fields)
    try:
        crontab.from_string(cron)
    except ValueError as fault:
        raise ValueError(f"it is not a cron schedule ({str(fault).rstrip('.')})") from None
    return cron
