"""Commands and containers, in the terms of the tests."""

import json
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[3]
PROJECT = "digitmill-test"
STRANGER = 12345
"""Id of the user who owns the reports when the tests run as root. No image knows this user."""


def base_image(argument: str) -> str:
    """Return the base image that the Dockerfile names, unless an environment variable of the tests names another.

    Args:
        argument: Name of the build argument: `PYTHON` or `REDIS`.
    """
    [default] = re.findall(rf"^ARG {argument}=(.+)$", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE)
    return os.environ.get(f"DIGITMILL_TEST_{argument}") or str(default)


def run(
    command: Sequence[str], *, folder: Path | None = None, check: bool = True, seconds: float = 120.0, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end. If it fails, fail the test and show its output."""
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
    """Run the Docker command line, and return what it printed."""
    return run(["docker", *arguments], check=check, seconds=seconds).stdout.strip()


def inspect(thing: str) -> dict[str, Any]:
    """Return what Docker knows about a container or an image."""
    [found] = json.loads(docker("inspect", thing))
    return dict(found)


@dataclass(frozen=True)
class Compose:
    """The project of the tests.

    Attributes:
        clone: Folder of its files.
        command: Command line of Compose, with the options that name the project and its files.
    """

    clone: Path
    command: tuple[str, ...]

    def __call__(
        self, *arguments: str, check: bool = True, seconds: float = 120.0, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run Compose on the project."""
        return run([*self.command, *arguments], folder=self.clone, check=check, seconds=seconds, **variables)

    def containers(self, service: str, *, every: bool = False) -> list[str]:
        """Return the ids of a service's running containers, or of every one."""
        labels = (f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}")
        filters = [word for label in labels for word in ("--filter", f"label={label}")]
        oneoff = ["--filter", "label=com.docker.compose.oneoff=False"]
        return docker("ps", "--quiet", "--no-trunc", *filters, *oneoff, *(["--all"] if every else [])).split()

    def scale(self, workers: int) -> None:
        """Set the number of workers, and change nothing else."""
        self("up", "--detach", "--no-recreate", "--no-deps", "--scale", f"worker={workers}", "worker")

    def redis(self, *words: str) -> str:
        """Send a command to Redis, and return its answer."""
        [container] = self.containers("redis")
        return docker("exec", container, "redis-cli", *words)


@dataclass(frozen=True)
class Producer:
    """A producer's container that keeps running, for quick questions. Tests submit jobs with `run`, as users do."""

    compose: Compose
    container: str

    def ask(self, *arguments: str) -> Any:
        """Run `digitmill … --json`, and return what it printed, even if its exit code says that no worker is ready."""
        return json.loads(docker("exec", self.container, "digitmill", *arguments, "--json", check=False))

    def ready_workers(self) -> list[dict[str, Any]]:
        """Return the ready workers, as `digitmill status` lists them."""
        return [worker for worker in self.ask("status")["workers"] if worker["ready"]]
