"""The files that the containers are made from agree with the program. `make compose-test` tries them for real."""

import json
import re
import shutil
import stat
import subprocess
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
    """An image starts the command that `digitmill up` starts on a bare machine, and checks the health of its role."""
    stages = re.split(r"^FROM ", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    [stage] = [stage for stage in stages if stage.splitlines()[0].endswith(f" AS {role}")]
    [command, health] = [json.loads(found) for found in re.findall(r"CMD (\[.+\])$", stage, re.MULTILINE)]
    assert command == role.command("python")
    assert health == ["python", "-P", "-m", "worker.health", str(role)]


@pytest.mark.parametrize("name", ["docker-compose.yml", "docker/elsewhere.yml", "docker/tls.yml"])
def test_every_setting_of_compose_has_a_default_or_a_remedy(name):
    """Compose v2 stops at any place of a missing setting, so each says what to do. Each password names `make env`.

    Compose v2 and docker-compose 1.29 both print a message whole only if it has no quotation marks and braces.
    """
    places = re.findall(r"\$\{(\w+)(.*?)\}", (REPOSITORY / name).read_text(), re.DOTALL)
    assert places
    for setting, rest in places:
        assert re.match(r":-|:\?[^\"{]+$", rest), f"{setting} has neither a default nor a message"
        assert setting != "DIGITMILL_REDIS_PASSWORD" or "`make env`" in rest


@pytest.mark.parametrize("before", [None, (REPOSITORY / ".env.example").read_text(), "DIGITMILL_WORKERS=4"])
def test_make_env_adds_a_password_wherever_one_is_missing(tmp_path, before):
    """It creates .env, or completes one without a password; it leaves a complete one unchanged."""
    shutil.copytree(REPOSITORY / "docker", tmp_path / "docker")
    shutil.copy(REPOSITORY / ".env.example", tmp_path)
    settings = tmp_path / ".env"
    if before is not None:
        settings.write_text(before)
    subprocess.run([tmp_path / "docker" / "make-env"], check=True)
    text = settings.read_text()
    assert len(re.findall(r"^DIGITMILL_REDIS_PASSWORD=[0-9a-f]{48}$", text, re.MULTILINE)) == 1
    assert stat.S_IMODE(settings.stat().st_mode) == 0o600
    assert before is None or set(before.splitlines()) <= {*text.splitlines(), "DIGITMILL_REDIS_PASSWORD="}
    subprocess.run([tmp_path / "docker" / "make-env"], check=True)
    assert settings.read_text() == text
