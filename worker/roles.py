"""The roles that a process of the mill can have: the command that runs each, and the libraries that it needs."""

import sys
from enum import StrEnum
from importlib.util import find_spec
from typing import NamedTuple

from model.errors import UsageError


class _Library(NamedTuple):
    """A library that only some roles need."""

    name: str
    module: str
    extra: str


_LITERT = _Library("LiteRT", "ai_edge_litert", "worker")
_TRAINING = (
    _LITERT,  # the trainer judges its models with it
    _Library("TensorFlow", "tensorflow", "train"),
    _Library("safetensors", "safetensors", "train"),
    _Library("Matplotlib", "matplotlib", "train"),
)


class Role(StrEnum):
    """What a process does for the mill."""

    WORKER = "worker"  # classifies images
    TRAINER = "trainer"  # trains models, with TensorFlow
    SCHEDULER = "scheduler"  # asks for trainings on a schedule

    @property
    def module(self) -> str:
        """The name of the module that runs the role. It reads its settings from the environment."""
        return "worker" if self is Role.WORKER else f"worker.{self}"

    def command(self, python: str = sys.executable) -> list[str]:
        """Return the command line that runs the role.

        With `-P`, Python does not import from the current folder, so a user's own `model.py` there does no harm.
        """
        return [python, "-P", "-m", self.module]

    def check_installed(self) -> None:
        """Check that the libraries of the role are installed, without importing them.

        Raises:
            UsageError: A library is missing. The message names it and the command that installs it.
        """
        needed = {Role.WORKER: (_LITERT,), Role.TRAINER: _TRAINING, Role.SCHEDULER: ()}[self]
        missing = [library for library in needed if find_spec(library.module) is None]
        if missing:
            names = ", ".join(library.name for library in missing)
            extras = ",".join(sorted({library.extra for library in missing}))
            raise UsageError(
                f"A {self} needs libraries that this Python does not have ({names}). "
                f"Install them with: pip install 'digitmill[{extras}]'"
            )
