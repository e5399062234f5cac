"""The roles that a process of the mill can have, and the command that runs each: the one place that defines them."""

import sys
from enum import StrEnum


class Role(StrEnum):
    """What a process does for the mill."""

    WORKER = "worker"  # classifies
    TRAINER = "trainer"  # trains, with TensorFlow
    SCHEDULER = "scheduler"  # asks for trainings by the clock

    @property
    def module(self) -> str:
        """The module that runs it, and takes its settings from the environment."""
        return "worker" if self is Role.WORKER else f"worker.{self}"

    def command(self, python: str = sys.executable) -> list[str]:
        """Return its command line; `-P` keeps a user's own `model.py` in the current folder out of its way."""
        return [python, "-P", "-m", self.module]
