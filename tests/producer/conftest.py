"""A server that holds nothing, and the command beside it."""

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
