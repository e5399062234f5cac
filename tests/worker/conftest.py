"""A connection to the server without workers, for the tests of the ledger, the connection and the services."""

from collections.abc import Iterator

import pytest
import redis

from producer.mill.stack import Stack
from worker.contract.connection import connect
from worker.contract.ledger import Ledger


@pytest.fixture
def client(server: Stack) -> Iterator["redis.Redis"]:
    """A connection to the server, which holds nothing and has its usual memory limit."""
    connection = connect(server.url)
    connection.flushall()
    yield connection
    connection.config_set("maxmemory", "1gb")
    connection.close()


@pytest.fixture
def ledger(client: "redis.Redis") -> Ledger:
    """An empty ledger."""
    return Ledger(client, ttl_seconds=3600)
