"""A server that holds nothing, the command beside it, and small mills of commands."""

import os
import random
from collections.abc import Iterator

import pytest

from tests.support.command import CommandLine
from worker.contract.connection import connect


@pytest.fixture
def client(server):
    """A connection to the server, which holds nothing."""
    connection = connect(server.url)
    connection.flushall()
    yield connection
    connection.close()


@pytest.fixture
def digitmill(server, tmp_path):
    """Run `digitmill …` beside that server."""
    return CommandLine(tmp_path, server.url)


@pytest.fixture
def one_core() -> Iterator[None]:
    """Let commands run on one core. Those that start a mill then start one worker, and not one for each core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {random.choice(sorted(allowed))})  # another for each process of the tests, if it can be
    yield
    os.sched_setaffinity(0, allowed)
