"""Facts about URLs of a Redis: all that is understood, and what is refused with which words."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import redis

from model.errors import UsageError
from worker.contract.connection import connect
from worker.contract.errors import Unreachable
from worker.redis_address import RedisAddress
from worker.settings import Settings

TLS = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the certificate of an authority, whose name has characters that a URL must quote."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("authorities")
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -keyout ca.key -out"
    subprocess.run([*command.split(), "c a&.crt"], cwd=folder, check=True, capture_output=True)
    return folder / "c a&.crt"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://", ("redis", "localhost", 6379, "", None, None, 0, {})),
        ("redis://host", ("redis", "host", 6379, "", None, None, 0, {})),
        ("redis://host:7000/", ("redis", "host", 7000, "", None, None, 0, {})),
        ("redis://:p%40%2Fs@host/3", ("redis", "host", 6379, "", None, "p@/s", 3, {})),
        ("redis://us%3Aer:secret@[::1]:7000/15", ("redis", "::1", 7000, "", "us:er", "secret", 15, {})),
        ("redis://host?db=4", ("redis", "host", 6379, "", None, None, 4, {})),
        ("redis://host?virtual_host=4", ("redis", "host", 6379, "", None, None, 4, {})),
        ("redis://host/4?db=4", ("redis", "host", 6379, "", None, None, 4, {})),
        ("redis://host?username=u&password=p%26", ("redis", "host", 6379, "", "u", "p&", 0, {})),
        ("rediss://host/1", ("rediss", "host", 6379, "", None, None, 1, TLS)),
        ("rediss://host?ssl_cert_reqs=required", ("rediss", "host", 6379, "", None, None, 0, TLS)),
        ("rediss://host?ssl_cert_reqs=CERT_REQUIRED", ("rediss", "host", 6379, "", None, None, 0, TLS)),
        ("rediss://host?ssl_cert_reqs=CERT_OPTIONAL", ("rediss", "host", 6379, "", None, None, 0, TLS)),
        (
            "rediss://host?ssl_cert_reqs=none",
            ("rediss", "host", 6379, "", None, None, 0, TLS | {"ssl_cert_reqs": "none"}),
        ),
        (
            "rediss://host?ssl_cert_reqs=CERT_NONE",
            ("rediss", "host", 6379, "", None, None, 0, TLS | {"ssl_cert_reqs": "none"}),
        ),
        (
            "rediss://host?ssl_check_hostname=false",
            ("rediss", "host", 6379, "", None, None, 0, TLS | {"ssl_check_hostname": False}),
        ),
        ("unix:///run/redis.sock", ("unix", "", 6379, "/run/redis.sock", None, None, 0, {})),
        ("unix://:secret@/run/a%40b.sock?db=2", ("unix", "", 6379, "/run/a@b.sock", None, "secret", 2, {})),
        ("unix:///run/caf%E9.sock", ("unix", "", 6379, "/run/caf\udce9.sock", None, None, 0, {})),
    ],
)
def test_every_form_of_url_is_understood(url: str, expected: tuple[object, ...]) -> None:
    """That includes the spellings of redis-py and of Celery."""
    found = RedisAddress.from_url(url)
    assert tuple(getattr(found, name) for name in RedisAddress.__dataclass_fields__) == (*expected, None)
    assert connect(url), "redis-py takes the same options"


def test_a_url_of_sentinels_names_them_and_their_master() -> None:
    """User, password and database are those of Redis. Sentinels have their own, and the same authorities."""
    found = RedisAddress.from_url(
        "sentinels://us%40er:secret@a,[::1]:7000,c:26380/my.master/3?sentinel_username=s&sentinel_password=p%26"
    )
    assert (found.user, found.password, found.database, found.tls) == ("us@er", "secret", 3, TLS)
    assert found.sentinels is not None
    assert found.sentinels.hosts == [("a", 26379), ("::1", 7000), ("c", 26380)]
    assert found.sentinels.master == "my.master"
    assert found.sentinels.options == {"username": "s", "password": "p&", "ssl": True, **TLS}
    assert found.connection_options()["connection_class"].__mro__.index(redis.SSLConnection)
    plain = RedisAddress.from_url("sentinel://a/mymaster")
    assert plain.sentinels
    assert (plain.sentinels.hosts, plain.database, dict(plain.sentinels.options)) == ([("a", 26379)], 0, {})


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("redis://host/abc", "databases of Redis have numbers, as in redis://host:6379/0"),
        ("rediss://host/abc", "databases of Redis have numbers, as in rediss://host:6379/0"),
        ("redis://host/0/1", "databases of Redis have numbers"),
        ("redis://host/-1", "databases of Redis have numbers"),
        ("redis://host/\u0661", "databases of Redis have numbers"),
        ("redis://host?db=abc", "databases of Redis have numbers"),
        ("redis://host?db=", "databases of Redis have numbers"),
        ("unix:///run/redis.sock?db=abc", "as in unix:///run/redis.sock?db=0"),
        ("redis://host/1?db=2", "two databases"),
        ("redis://host?db=1&db=1", "'db' twice"),
        ("redis://host?foo=bar", "does not know its parameter 'foo', only db, username, password"),
        ("rediss://host?foo=bar", "only db, username, password, ssl_cert_reqs"),
        ("unix:///run/redis.sock?foo=bar", "parameter 'foo'"),
        ("redis://host?socket_timeout=1", "parameter 'socket_timeout'"),
        ("redis://host?ssl_cert_reqs=none", "write rediss:// instead of redis://"),
        ("redis://host?ssl_ca_certs=/x", "write rediss:// instead of redis://"),
        ("unix:///run/redis.sock?ssl_cert_reqs=none", "remove 'ssl_cert_reqs'"),
        ("rediss://host?ssl_cert_reqs=maybe", "must be required or none"),
        ("rediss://host?ssl_cert_reqs=", "must be required or none"),
        ("rediss://host?ssl_check_hostname=maybe", "must be true or false"),
        ("rediss://host?ssl_ca_certs=/none", "of 'ssl_ca_certs', the file cannot be read (No such file"),
        ("rediss://host?ssl_ca_certs=/", "of 'ssl_ca_certs', the file cannot be read (Is a directory"),
        ("rediss://host?ssl_ca_certs=%00", "of 'ssl_ca_certs', the file cannot be read"),
        (f"rediss://host?ssl_ca_certs={__file__}", "of 'ssl_ca_certs', the file holds no certificate in PEM form"),
        (f"rediss://host?ssl_certfile={__file__}", "of 'ssl_certfile' and 'ssl_keyfile', the file holds no"),
        ("rediss://host?ssl_certfile=/none", "of 'ssl_certfile' and 'ssl_keyfile', the file cannot be read"),
        ("rediss://host?ssl_keyfile=/none", "needs 'ssl_certfile'"),
        ("redis://host:0", "port is 0"),
        ("redis://host:99999", "host or port is invalid"),
        ("redis://host:port", "host or port is invalid"),
        ("redis://[::1", "host or port is invalid"),
        ("redis://:pa/ss@host", "special characters of a password as %XX"),
        ("redis://:12/ss@host", "special characters of a password as %XX"),
        ("redis://:12?ss@host", "special characters of a password as %XX"),
        ("redis://:12#ss@host", "special characters of a password as %XX"),
        ("redis://host#", "special characters of a password as %XX"),
        ("redis://:pa ss@host", "space or a control character"),
        ("redis://host\t", "space or a control character"),
        ("redis://\udcff", "space or a control character"),
        ("unix://run/redis.sock", "full path, as in unix:///run/redis.sock"),
        ("unix://", "full path, as in unix:///run/redis.sock"),
        ("unix:///", "full path, as in unix:///run/redis.sock"),
        ("sentinel://host", "as in sentinel://host1:26379,host2:26379/mymaster"),
        ("sentinels://host/", "as in sentinels://host1:26379,host2:26379/mymaster"),
        ("sentinel:///mymaster", "it must name Sentinels"),
        ("sentinel://a,,b/mymaster", "it must name Sentinels"),
        ("sentinel://a,b/my%20master", "it must name Sentinels"),
        ("sentinel://a,b/mymaster/x", "as in sentinel://host/mymaster/0"),
        ("sentinel://a,b:port/mymaster", "host or port is invalid"),
        ("sentinel://a,b:0/mymaster", "port is 0"),
        ("sentinel://a,b/mymaster?foo=1", "only db, username, password, sentinel_username, sentinel_password"),
        ("sentinel://a,b/mymaster?ssl_cert_reqs=none", "write sentinels:// instead of sentinel://"),
        ("redis://a?sentinel_password=x", "parameter 'sentinel_password'"),
        ("redis://a,b/0", "name one host of Redis"),
        ("REDIS://host", "starts with redis://, rediss://, unix://, sentinel://, sentinels://"),
        ("", "starts with redis://, rediss://, unix://, sentinel://, sentinels://"),
    ],
)
def test_what_is_wrong_with_a_url_is_said_before_anything_connects(url: str, words: str) -> None:
    """In one line, and the same wherever the URL comes from."""
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        RedisAddress.from_url(url)
    assert "\n" not in str(caught.value)
    with pytest.raises(Unreachable, match=re.escape(words)):
        connect(url)
    if url.strip():
        with pytest.raises(UsageError, match=re.escape(words) if url.isprintable() else "DIGITMILL_REDIS_URL"):
            Settings.from_environment({"DIGITMILL_REDIS_URL": url + "\x7f" * (url != url.strip())})


def test_the_authorities_of_the_settings_are_part_of_the_url(authorities: Path) -> None:
    """So every process that gets the URL verifies the server by them, also one that another process starts."""
    variables = {"DIGITMILL_REDIS_URL": "rediss://host/1", "DIGITMILL_REDIS_CA": str(authorities)}
    url = Settings.from_environment(variables).server_url
    assert RedisAddress.from_url(url).tls == TLS | {"ssl_ca_certs": str(authorities)}
    again = Settings.from_environment({**variables, "DIGITMILL_REDIS_URL": url})
    assert again.server_url == url
    more = Settings.from_environment({**variables, "DIGITMILL_REDIS_URL": "rediss://host/1?ssl_check_hostname=no"})
    assert RedisAddress.from_url(more.server_url).tls["ssl_ca_certs"] == str(authorities)


def test_authorities_are_of_no_use_without_tls(authorities: Path) -> None:
    """Whoever sets them believes that the connection uses TLS. A mill of this machine needs none."""
    ca = {"DIGITMILL_REDIS_CA": str(authorities)}
    with pytest.raises(UsageError, match="must use TLS and start with rediss://"):
        Settings.from_environment({**ca, "DIGITMILL_REDIS_URL": "redis://host"})
    assert Settings.from_environment(ca).redis_url is None
    assert Settings.from_environment({**ca, "DIGITMILL_REDIS_URL": "unix:///run/x"}).redis_url == "unix:///run/x"


def test_redis_py_gets_what_the_url_says() -> None:
    """A connection has the class of the scheme, and nothing of a URL is left for redis-py to read."""
    options = RedisAddress.from_url("rediss://user:secret@host:7000/3").connection_options()
    assert options == {
        "connection_class": redis.SSLConnection,
        "host": "host",
        "port": 7000,
        "username": "user",
        "password": "secret",
        "db": 3,
        "driver_info": None,
        "socket_keepalive": True,
        **TLS,
    }
    unix = RedisAddress.from_url("unix:///run/x?db=1").connection_options()
    assert (unix["path"], unix["connection_class"]) == ("/run/x", redis.UnixDomainSocketConnection)
