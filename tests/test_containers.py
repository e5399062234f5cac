"""What the containers are made from agrees with the program; `make compose-test` tries them for real."""

import re
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]


def test_one_version_everywhere():
    """The images are tagged and labelled with the version of pyproject.toml."""
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    compose = (REPOSITORY / "docker-compose.yml").read_text()
    assert set(re.findall(r"image: digitmill-\w+:(\S+)", compose)) == {version}
    assert re.findall(r'VERSION: &version "(.+?)"', compose) == [version]
