"""The contents of the images."""

import tomllib

import pytest

from tests.system.compose.project import REPOSITORY, base_image, docker, inspect

LIGHT = ("worker", "scheduler", "producer", "http")
ROLES = (*LIGHT, "trainer")
MAX_BYTES = {
    "worker": 325e6,
    "scheduler": 325e6,
    "exporter": 325e6,
    "http": 310e6,
    "producer": 351e6,
    "trainer": 1906e6,
    "redis": 1e6,
}
"""What each image adds to its base at most: what it added on 2026-11-27, and two megabytes for more code."""


def image(role: str) -> str:
    """Return the name that test.yml gives to the image of a role."""
    return f"digitmill-test-{role}:0"


@pytest.mark.usefixtures("compose")
@pytest.mark.parametrize("role", LIGHT)
def test_only_the_trainer_is_large(role):
    """The other images do not contain TensorFlow."""
    find = "from importlib.util import find_spec; print(find_spec('tensorflow') is None)"
    assert docker("run", "--rm", "--entrypoint", "python", image(role), "-c", find) == "True"


@pytest.mark.usefixtures("compose")
def test_no_image_is_larger_than_it_was(capsys):
    """A package that grows an image by more than code does is a decision, which this list then shows."""
    found = {}
    for role in MAX_BYTES:
        base = base_image("REDIS" if role == "redis" else "PYTHON")
        found[role] = inspect(image(role))["Size"] - inspect(base)["Size"]
    with capsys.disabled():
        sizes = ", ".join(f"{role} {size / 1e6:.1f}" for role, size in found.items())
        print(f"\nMB that each image adds to its base: {sizes}")  # noqa: T201  for whoever runs the tests
    assert [role for role, size in found.items() if size > MAX_BYTES[role]] == []


@pytest.mark.usefixtures("compose")
def test_the_trainer_has_tensorflow():
    """It trains with TensorFlow, and evaluates candidates with the worker's engine."""
    find = "from importlib.util import find_spec; print(all(map(find_spec, ('tensorflow', 'ai_edge_litert'))))"
    assert docker("run", "--rm", image("trainer"), "python", "-c", find) == "True"


@pytest.mark.usefixtures("compose")
@pytest.mark.parametrize("role", [*ROLES, "redis"])
def test_every_image_names_its_version_and_runs_as_nobody(role):
    """The label has the version of pyproject.toml, and no image starts as root."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    configuration = inspect(image(role))["Config"]
    assert configuration["Labels"]["org.opencontainers.image.version"] == version
    assert configuration["Labels"]["org.opencontainers.image.title"] == f"digitmill: {role}".replace("redis", "Redis")
    assert configuration["User"] == ("999:999" if role == "redis" else "10001:10001")


def test_a_change_of_code_reinstalls_nothing(compose):
    """Docker builds only the last layer again, and keeps the layer of the packages."""
    before = inspect(image("worker"))["RootFS"]["Layers"]
    module = compose.clone / "worker" / "__init__.py"
    text = module.read_text()
    module.write_text(text + "\n# changed\n")
    try:
        compose("build", "worker", seconds=300)
        after = inspect(image("worker"))["RootFS"]["Layers"]
    finally:
        module.write_text(text)
        compose("build", "worker", seconds=300)
    assert len(after) == len(before)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True] * (len(before) - 1) + [False]
