"""The form of every identifier that is read from Redis, and new identifiers of jobs and trainings.

An identifier becomes a part of a path, of a key in Redis, or of a line on a terminal. Whoever can write to Redis
chooses what it says, so nothing uses one before it has passed `read` or `is_valid`. All kinds are safe as a file name,
contain neither `/` nor spaces nor control characters, and do not begin with a dot or a dash.
"""

import getpass
import os
import re
import reprlib
import secrets
import socket
import time
from enum import Enum

from worker.contract.errors import WireError

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
"""Characters of the random end of an identifier. It has none that people mistake for another."""

LIVE = "live"
"""A word that stands for the version that is live when a worker classifies an image."""

RANDOM_CHARACTERS = 8
"""Length of that end. 31 ** 8 are 8.5e11, so a thousand jobs of one second collide once in two million such seconds."""


_PLAIN = re.compile("[A-Za-z0-9._:/-]{1,200}")


class Kind(Enum):
    """What an identifier names. The value holds the words for messages, and the pattern."""

    JOB = ("a job", "[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
    TRAINING = ("a training", "[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
    PROCESS = ("a process", "[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # of a worker, trainer, scheduler or client
    VERSION = ("a version of the model", "[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
    IMAGE = ("an image", "[0-9a-f]{64}")  # the SHA-256 of its pixels
    CALLER = ("a client of the lane", "[0-9a-f]{32}")  # random, so that nobody guesses the key of its answers

    def __init__(self, words: str, pattern: str) -> None:
        self.words = words
        self.pattern = re.compile(pattern)


def is_valid(kind: Kind, text: str | bytes) -> bool:
    """Return whether this text is an identifier of that kind."""
    return kind.pattern.fullmatch(text.decode("latin-1") if isinstance(text, bytes) else text) is not None


def read(kind: Kind, text: str | bytes) -> str:
    """Return an identifier that was read from Redis or from a message.

    Raises:
        WireError: The text is not an identifier of that kind.
    """
    if not is_valid(kind, text):
        raise WireError(f"{shown(text)} does not name {kind.words}. Delete it, or find out who wrote it to Redis.")
    return text.decode("ascii") if isinstance(text, bytes) else text


def shown(text: str | bytes) -> str:
    """Return what stands where an identifier should, shortened, in printable ASCII, and quoted unless it is plain."""
    found = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return found if _PLAIN.fullmatch(found) else ascii(reprlib.repr(found))[1:-1]


def new_job_identifier() -> str:
    """Return an identifier that sorts by time (UTC) and can be typed: `261123-142501-k7qx2mta`. Its end is random."""
    stamp = time.strftime("%y%m%d-%H%M%S", time.gmtime())
    return f"{stamp}-{''.join(secrets.choice(ALPHABET) for _ in range(RANDOM_CHARACTERS))}"


def process_name(host: str, process: int) -> str:
    """Return the name by which Redis knows a process: its host and its process id.

    Characters that an identifier cannot have become dashes.

    Args:
        host: Name of the host, which may be any text.
        process: Process id.
    """
    return f"{host_name(host)}-{process}"


def this_process() -> str:
    """Return the name of this process."""
    return process_name(socket.gethostname(), os.getpid())


def host_name(host: str) -> str:
    """Return the name of a host as it begins the names of its processes."""
    safe = re.sub("[^A-Za-z0-9._-]", "-", host).lstrip("._-")[:100]
    return safe or "host"


def person_here() -> str:
    """Return the user of this process and its machine, as records say who did something."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # the user of a container may have no name
        user = "?"
    return f"{user}@{socket.gethostname()}"
