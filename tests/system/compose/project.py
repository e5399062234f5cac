"""The containers of the tests, as the tests speak of them."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
PROJECT = "digitmill-test"
STRANGER = 12345
"""Whose the reports are where the tests run as root: a user that no image knows."""


def run(
    command: Sequence[str], *, folder: Path | None = None, check: bool = True, seconds: float = 120.0, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; what it said is shown where it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if check and done.returncode:
        pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done


def docker(*arguments: str, check: bool = True, seconds: float = 60.0) -> str:
    """Run the Docker command line; return what it printed."""
    return run(["docker", *arguments], check=check, seconds=seconds).stdout.strip()


def inspect(thing: str) -> dict[str, Any]:
    """What Docker knows of a container or an image."""
    [found] = json.loads(docker("inspect", thing))
    return dict(found)


@dataclass(frozen=True)
class Compose:
    """The project of the tests.

    Attributes:
        clone: where its files are.
        command: how its Compose is called.
    """

    clone: Path
    command: tuple[str, ...]

    def __call__(
        self, *arguments: str, check: bool = True, seconds: float = 120.0, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run Compose."""
        return run([*self.command, *arguments], folder=self.clone, check=check, seconds=seconds, **variables)

    def containers(self, service: str, *, every: bool = False) -> list[str]:
        """The ids of a service's containers that run, or of every one."""
        labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        oneoff = ["--filter", "label=com.docker.compose.oneoff=False"]
        return docker("ps", "--quiet", "--no-trunc", *filters, *oneoff, *(["--all"] if every else [])).split()

    def scale(self, workers: int) -> None:
        """Have so many workers, and touch nothing else."""
        self("up", "--detach", "--no-recreate", "--no-deps", "--scale", f"worker={workers}", "worker")

    def redis(self, *words: str) -> str:
        """Ask Redis itself."""
        [container] = self.containers("redis")
        return docker("exec", container, "redis-cli", *words)


@dataclass(frozen=True)
class Producer:
    """A producer's container that stays, for quick questions; jobs are submitted as users do, by `run`."""

    compose: Compose
    container: str

    def ask(self, *arguments: str) -> Any:
        """Run `digitmill … --json`; return what it printed, also where its exit code says that no worker is ready."""
        return json.loads(docker("exec", self.container, "digitmill", *arguments, "--json", check=False))

    def ready_workers(self) -> list[dict[str, Any]]:
        """The workers that are ready, as `digitmill status` lists them."""
        return [worker for worker in self.ask("status")["workers"] if worker["ready"]]
