"""Records in Redis that cannot be read: a command shows everything else, and names them."""

from collections.abc import Callable
from typing import TypeVar

from producer.cli.notices import print_notice
from producer.public.body import Damaged, damaged
from worker.contract.errors import WireError
from worker.contract.validation.reading import DamagedRecord, Listed

MAX_PRINTED = 10
"""Maximum number of damaged records that a command names for people. JSON has all."""

_Value = TypeVar("_Value")


class Damage:
    """Collects the damaged records of one command.

    Attributes:
        records: What was damaged so far.
    """

    def __init__(self) -> None:
        self.records: list[DamagedRecord] = []

    def read(self, what: str, read: Callable[[], _Value], instead: _Value) -> _Value:
        """Return what `read` returns, or `instead` if that is damaged as a whole. Note what is damaged.

        Args:
            what: What it is, in words.
            read: Function that reads from Redis.
            instead: Value that stands for nothing.
        """
        try:
            return read()
        except WireError as fault:
            self.records.append(DamagedRecord(what, str(fault)))
            return instead

    def read_list(self, what: str, read: Callable[[], list[_Value]]) -> list[_Value]:
        """Return the list that `read` returns, or nothing if that is damaged as a whole. Note what is damaged.

        Args:
            what: What it is, in words.
            read: Function that reads from Redis.
        """
        nothing: list[_Value] = []
        found = self.read(what, read, nothing)
        if isinstance(found, Listed):
            self.records += found.damaged
        return found

    def as_json(self) -> list[Damaged]:
        """Return the damaged records for programs."""
        return damaged(self.records)

    def print(self) -> None:
        """Name the damaged records on standard error."""
        for record in self.records[:MAX_PRINTED]:
            print_notice(f"damaged: {record.name}: {record.problem}")
        if len(self.records) > MAX_PRINTED:
            print_notice(f"damaged: {len(self.records) - MAX_PRINTED:,} more; --json lists them")
