"""Facts about the settings: each variable is read, and an invalid value is refused by name."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from model.errors import UsageError
from worker.settings import Settings, without_password

GOOD: list[tuple[str, str, str, Any]] = [
    ("DIGITMILL_REDIS_URL", "rediss://user:secret@host:6380/3", "redis_url", "rediss://user:secret@host:6380/3"),
    ("DIGITMILL_REDIS_URL", "unix:///run/redis.sock", "redis_url", "unix:///run/redis.sock"),
    ("DIGITMILL_DATA", "/somewhere", "data", Path("/somewhere")),
    ("DIGITMILL_DATA", "here", "data", Path.cwd() / "here"),
    ("DIGITMILL_MNIST", "~/mnist", "mnist", Path.home() / "mnist"),
    ("DIGITMILL_CACHE", "/cache", "cache", Path("/cache")),
    ("DIGITMILL_OFFLINE", "1", "offline", True),
    ("DIGITMILL_OFFLINE", "No", "offline", False),
    ("DIGITMILL_LEASE_SECONDS", "2.5", "lease_seconds", 2.5),
    ("DIGITMILL_TIME_LIMIT_SECONDS", "120", "time_limit_seconds", 120.0),
    ("DIGITMILL_RESULT_DAYS", " 0.5 ", "result_days", 0.5),
    ("DIGITMILL_RECONCILE", "off", "reconcile", False),
    ("DIGITMILL_RECONCILE", "TRUE", "reconcile", True),
    ("DIGITMILL_LOG_LEVEL", "debug", "log_level", "DEBUG"),
    ("DIGITMILL_RETRAIN_CRON", " 0  3 1,15 * mon-fri", "retrain_cron", "0 3 1,15 * mon-fri"),
    ("DIGITMILL_RETRAIN_CRON", "*/5 8-18/2 * * 0", "retrain_cron", "*/5 8-18/2 * * 0"),
    ("DIGITMILL_RETRAIN_ALWAYS", "1", "retrain_always", True),
    ("DIGITMILL_RETRAIN_QUICK", "0", "retrain_quick", False),
    ("DIGITMILL_HTTP_TOKEN", " 0123456789abcdef ", "http_token", "0123456789abcdef"),
    ("DIGITMILL_RETRAIN_ON_DRIFT", "1", "retrain_on_drift", True),
    ("DIGITMILL_VERSIONS_KEPT", "5", "versions_kept", 5),
    ("DIGITMILL_VERSION_DAYS", "90", "version_days", 90.0),
    ("DIGITMILL_LOG_FORMAT", "JSON", "log_format", "json"),
    ("DIGITMILL_TRACES", "1", "traces", True),
    ("DIGITMILL_METRICS_PORT", "9464", "metrics_port", 9464),
    ("DIGITMILL_METRICS_HOST", "::1", "metrics_host", "::1"),
    ("DIGITMILL_CELERY_TOOLS", "1", "celery_tools", True),
]


@pytest.mark.parametrize(("variable", "text", "field", "value"), GOOD)
def test_every_variable_is_read(variable: str, text: str, field: str, value: Any) -> None:
    """A variable changes only its own setting."""
    settings = Settings.from_environment({variable: text})
    assert getattr(settings, field) == value
    defaults = Settings.from_environment({})
    others = [other.name for other in fields(Settings) if other.name != field]
    assert all(getattr(settings, other) == getattr(defaults, other) for other in others)


def test_the_examples_above_leave_no_setting_out() -> None:
    """So a new setting needs an example here."""
    assert {field for _, _, field, _ in GOOD} == {field.name for field in fields(Settings)}


def test_the_url_to_connect_to_is_that_of_the_settings_or_redis_default() -> None:
    """Every process that connects without a local stack uses it."""
    assert Settings.from_environment({}).server_url == "redis://localhost:6379/0"
    assert Settings.from_environment({"DIGITMILL_REDIS_URL": "unix:///run/x"}).server_url == "unix:///run/x"


def test_an_empty_variable_counts_as_unset() -> None:
    """Shells and compose files leave such variables behind."""
    assert Settings.from_environment(dict.fromkeys([name for name, *_ in GOOD], " ")) == Settings.from_environment({})


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("DIGITMILL_REDIS_URL", "localhost:6379"),
        ("DIGITMILL_REDIS_URL", "http://localhost"),
        ("DIGITMILL_REDIS_URL", "redis://localhost:port"),
        ("DIGITMILL_REDIS_URL", "redis://[::1"),
        ("DIGITMILL_REDIS_CA", "~nobody-of-this-name/x"),
        ("DIGITMILL_REDIS_CA", __file__),
        ("DIGITMILL_REDIS_CA", "/none/ca.crt"),
        ("DIGITMILL_REDIS_CA", "/"),
        ("DIGITMILL_DATA", "~nobody-of-this-name/x"),
        ("DIGITMILL_OFFLINE", "maybe"),
        ("DIGITMILL_RECONCILE", "2"),
        ("DIGITMILL_LEASE_SECONDS", "soon"),
        ("DIGITMILL_LEASE_SECONDS", "0"),
        ("DIGITMILL_LEASE_SECONDS", "0.0001"),
        ("DIGITMILL_TIME_LIMIT_SECONDS", "-1"),
        ("DIGITMILL_RESULT_DAYS", "nan"),
        ("DIGITMILL_RESULT_DAYS", "inf"),
        ("DIGITMILL_RESULT_DAYS", "1e300"),
        ("DIGITMILL_LOG_LEVEL", "LOUD"),
        ("DIGITMILL_RETRAIN_CRON", "daily"),
        ("DIGITMILL_RETRAIN_CRON", "* * * *"),
        ("DIGITMILL_RETRAIN_CRON", "60 * * * *"),
        ("DIGITMILL_RETRAIN_CRON", "*/0 * * * *"),
        ("DIGITMILL_RETRAIN_CRON", "*/5/2 * * * *"),
        ("DIGITMILL_RETRAIN_CRON", "0 0 30 2 *"),
        ("DIGITMILL_RETRAIN_CRON", "0 3 * * someday"),
        ("DIGITMILL_RETRAIN_ALWAYS", "perhaps"),
        ("DIGITMILL_VERSIONS_KEPT", "0"),
        ("DIGITMILL_VERSIONS_KEPT", "2.5"),
        ("DIGITMILL_VERSIONS_KEPT", "²"),
        ("DIGITMILL_VERSIONS_KEPT", "1001"),
        ("DIGITMILL_VERSION_DAYS", "0"),
        ("DIGITMILL_LOG_FORMAT", "xml"),
        ("DIGITMILL_METRICS_PORT", "0"),
        ("DIGITMILL_METRICS_PORT", "65536"),
        ("DIGITMILL_METRICS_PORT", "²"),
    ],
)
def test_a_bad_value_is_refused_with_its_variable_and_the_remedy(variable: str, text: str) -> None:
    """The message says what to do, without the manual."""
    with pytest.raises(UsageError, match=rf"^{variable}=.* is invalid: .+\. Correct or unset it\.$"):
        Settings.from_environment({variable: text})


@pytest.mark.parametrize(
    "url",
    [
        "redis://user:secret@host:port/0",
        "user:secret@host",
        "redis://:se/secret@host",
        "http://user:secret@host",
        "redis://:12/secret@host",
        "redis://:12?secret=x@host",
        "redis://:12#secret@host",
        "redis://:secret:6379/0",
        "redis://user:12 secret@host",
        "redis://user:secret@host/name",
        "redis://user:secret@host?foo=bar",
        "redis://host?password=secret&foo=bar",
        "sentinel://:secret@a:26379,b:26379",
        "sentinel://:secret:26379,b:26379/mymaster",
        "sentinel://a,b/my/master?sentinel_password=secret",
        "rediss://user:secret@host?ssl_password=secret&ssl_certfile=none",
    ],
)
def test_a_refused_url_does_not_show_its_password(url: str) -> None:
    """Messages end up in logs and tickets."""
    with pytest.raises(UsageError) as caught:
        Settings.from_environment({"DIGITMILL_REDIS_URL": url})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://host", "redis://host"),
        ("redis://secret@host:6379/0", "redis://***@host:6379/0"),
        ("redis://:secret:6379/0", "redis://:***/0"),
        ("redis://:secret", "redis://:***"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("//:secret@host", ":***@host"),
        ("redis+socket://:secret@/run/redis.sock", "redis+socket://:***@/run/redis.sock"),
        ("redis://user:se\ncret@host", "redis://user:***@host"),
        ("redis://user:a://secret@host", "redis:***@host"),
        ("unix:///run/a@b.sock", "unix:///run/a@b.sock"),
        ("redis://user:secret@host:6379/0", "redis://user:***@host:6379/0"),
        ("redis://host:12,secret/0", "redis://host:***/0"),
        ("sentinel://a:26379,b,[::1]:26379/mymaster/0", "sentinel://a:26379,b,[::1]:26379/mymaster/0"),
        ("sentinel://u:secret@a:26379,b:26379/m", "sentinel://u:***@a:26379,b:26379/m"),
        ("sentinel://u:secret,b:26379/m", "sentinel://u:***/m"),
        ("sentinel://a:1,b:2/m?sentinel_password=secret", "sentinel://a:1,b:2/m?sentinel_password=***"),
        ("rediss://:secret@host/1?ssl_cert_reqs=none", "rediss://:***@host/1?ssl_cert_reqs=none"),
        ("redis://:secret@[::1]:6379", "redis://:***@[::1]:6379"),
        ("redis://user:sec:ret@host", "redis://user:***@host"),
        ("redis://user:sec@ret@host", "redis://user:***@host"),
        ("redis://user:sec%40ret@host", "redis://user:***@host"),
        ("redis://user:sec/ret@host", "redis://user:***@host"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock"),
        ("unix://:secret@/run/redis.sock", "unix://:***@/run/redis.sock"),
        ("unix://user:secret@/run/redis.sock?db=1", "unix://user:***@/run/redis.sock?db=1"),
        ("redis://host:6379?password=secret&db=1", "redis://host:6379?password=***&db=1"),
        ("redis://host:6379?password=sec#ret&db=1", "redis://host:6379?password=***&db=1"),
        ("unix:///run/redis.sock?db=1&password=secret", "unix:///run/redis.sock?db=1&password=***"),
    ],
)
def test_no_url_shows_its_password(url: str, shown: str) -> None:
    """That holds for every form of URL. redis-py also reads passwords from the query."""
    assert without_password(url) == shown
