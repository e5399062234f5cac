"""A mill of real containers, built from a fresh clone, for the tests in this folder. `make compose-test` runs them.

They need a Docker Engine, and Compose v2 or docker-compose 1.29. They name their containers, volumes and images
`digitmill-test`, and remove all but the images at the end. The next run reuses the layers of the images.

`make compose-matrix` runs some of them with other versions: DIGITMILL_TEST_COMPOSE names the program of Compose, and
DIGITMILL_TEST_PYTHON and DIGITMILL_TEST_REDIS name base images.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from model.data.digits import Digits
from tests.system.compose.project import PROJECT, REPOSITORY, STRANGER, Compose, Producer, base_image, docker, run


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what a fresh clone would hold if every change were committed."""
    folder = tmp_path_factory.mktemp("clone")
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], folder=REPOSITORY).stdout
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def compose(clone: Path) -> Iterator[Compose]:
    """Build the project, after removing what an earlier run left. Nothing runs yet."""
    files = ["docker-compose.yml", "tests/system/compose/test.yml"]
    if os.environ.get("DIGITMILL_TEST_BUILD_NETWORK") == "host":
        files.append("tests/system/compose/host-network.yml")
    v2 = run(["docker", "compose", "version"], check=False).returncode == 0
    program = os.environ.get("DIGITMILL_TEST_COMPOSE", "docker compose" if v2 else "docker-compose").split()
    project = Compose(
        clone, (*program, *(word for file in files for word in ("--file", file)), "--project-name", PROJECT)
    )
    owner = [f"SUDO_UID={STRANGER}", f"SUDO_GID={STRANGER}"] if os.getuid() == 0 else []
    run(["env", *owner, "make", "env"], folder=clone)
    with (clone / ".env").open("a") as settings:
        settings.write(f"DIGITMILL_TRAINER_CPUS={min(2, os.cpu_count() or 1)}\n")
    docker("rm", "--force", f"{PROJECT}-asks", check=False)  # a killed run leaves it
    # Compose leaves the volume of a service whose profile is not named, and Prometheus would remember an earlier run.
    profiles = [word for profile in ("producer", "http", "monitor") for word in ("--profile", profile)]
    project(*profiles, "down", "--volumes", "--remove-orphans")
    bases = [word for name in ("PYTHON", "REDIS") for word in ("--build-arg", f"{name}={base_image(name)}")]
    project(*profiles, "build", *bases, seconds=3500)
    yield project
    project(*profiles, "down", "--volumes", "--remove-orphans", "--timeout", "5")


@pytest.fixture(scope="session")
def mill(compose: Compose) -> Compose:
    """Start the project with three workers."""
    compose("up", "--detach", "--scale", "worker=3", seconds=300)
    return compose


@pytest.fixture(scope="session")
def producer(mill: Compose) -> Iterator[Producer]:
    """Start a container that answers questions about the mill."""
    mill("run", "--detach", "--name", f"{PROJECT}-asks", "--entrypoint", "sleep", "producer", "infinity")
    yield Producer(mill, f"{PROJECT}-asks")
    docker("rm", "--force", f"{PROJECT}-asks")


@pytest.fixture
def three_workers(mill: Compose, producer: Producer, eventually) -> None:
    """Begin the test with three ready workers, whatever an earlier test did to them."""
    mill.scale(3)
    eventually(lambda: len(producer.ready_workers()) == 3, seconds=60, what="three ready workers")


@pytest.fixture
def submit(mill: Compose) -> Iterator[Callable[..., "Future[dict[str, Any]]"]]:
    """Submit a folder as a user does, in the background. The future returns the report."""
    pool = ThreadPoolExecutor(2)

    def work(folder: Path, name: str, options: Sequence[str]) -> dict[str, Any]:
        mounted = ["--volume", f"{folder}:/data:ro"]
        out = f"reports/{name}"
        mill("run", "--rm", "-T", *mounted, "producer", "submit", "/data", "--out", out, *options, seconds=400)
        return dict(json.loads((mill.clone / out / "report.json").read_text()))

    def begin(folder: Path, name: str, *options: str) -> "Future[dict[str, Any]]":
        return pool.submit(work, folder, name, options)

    yield begin
    pool.shutdown(wait=True, cancel_futures=True)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory, digits: Digits, png) -> Callable[..., Path]:
    """Write digits as PNG files into folders named by their labels.

    With `slow=n`, every n-th image costs a worker 0.3 s more.
    """
    from tests.system.faults.injected.marks import MARK_SLOW

    def make(count: int, *, slow: int | None = None) -> Path:
        folder = tmp_path_factory.mktemp("images")
        folder.chmod(0o755)
        for label in range(10):
            (folder / str(label)).mkdir()
        for index in range(count):
            data = png(digits.images[index]) + (MARK_SLOW if slow and index % slow == 0 else b"")
            (folder / str(digits.labels[index]) / f"{index:05d}.png").write_bytes(data)
        return folder

    return make


@pytest.fixture(scope="session")
def correct(digits: Digits) -> Callable[[int], int]:
    """Return how many of the first digits the shipped model classifies correctly without a queue."""
    from model.inference.classifier import Classifier

    right = Classifier.baseline().classify(digits.images).digits == digits.labels
    return lambda count: int(right[:count].sum())
