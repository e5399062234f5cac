"""What the containers are made from agrees with the program; `make compose-test` tries them for real."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from worker.roles import Role

REPOSITORY = Path(__file__).parents[1]


def test_one_version_everywhere():
    """The images are tagged and labelled with the version of pyproject.toml."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    compose = (REPOSITORY / "docker-compose.yml").read_text()
    assert set(re.findall(r"image: digitmill-\w+:(\S+)", compose)) == {version}
    assert re.findall(r'VERSION: &version "(.+?)"', compose) == [version]


@pytest.mark.parametrize("role", list(Role))
def test_containers_run_the_same_commands_as_everybody(role):
    """What an image starts and asks after its health is what `digitmill up` starts on a bare machine."""
    stages = re.split(r"^FROM ", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    [stage] = [stage for stage in stages if stage.splitlines()[0].endswith(f" AS {role}")]
    [command, health] = [json.loads(found) for found in re.findall(r"CMD (\[.+\])$", stage, re.MULTILINE)]
    assert command == role.command("python")
    assert health == ["python", "-m", "worker.health", str(role)]
