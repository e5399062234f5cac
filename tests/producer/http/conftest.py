"""Servers beside the tests' mill."""

import pytest

from tests.support.command import CommandLine
from tests.support.http_server import serving


@pytest.fixture(scope="module")
def command_line(mill, tmp_path_factory):
    """The command line beside the tests' mill."""
    return CommandLine(tmp_path_factory.mktemp("http"), mill.stack.url)


@pytest.fixture(scope="module")
def http(command_line):
    """A server without a token."""
    with serving(command_line) as server:
        server.await_ready()
        yield server
