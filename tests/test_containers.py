"""The files that the containers are made from agree with the program. `make compose-test` tries them for real."""

import json
import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest

from worker.contract.users import RedisUser
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
        assert not setting.endswith("_PASSWORD") or "`make env`" in rest


PASSWORDS = ["DIGITMILL_REDIS_PASSWORD", *(user.password_variable for user in RedisUser)]

EXISTING = """\
# of 0.2.0
DIGITMILL_WORKERS=4  # on weekdays
export DIGITMILL_REDIS_PASSWORD='kept'  # of 2025
DIGITMILL_WORKER_PASSWORD=  # to be filled
#DIGITMILL_TRAINER_PASSWORD=comment
DIGITMILL_MNIST=/home/me/$mnist\\&"""


@pytest.fixture
def make_env(tmp_path):
    """Run `make env` in a folder of this test's own. Return what .env then holds."""
    shutil.copytree(REPOSITORY / "docker", tmp_path / "docker")
    shutil.copy(REPOSITORY / ".env.example", tmp_path)

    def run():
        printed = subprocess.run([tmp_path / "docker" / "make-env"], check=True, capture_output=True, text=True)
        text = (tmp_path / ".env").read_text()
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
        assert not any(re.findall(r"[0-9a-f]{48}", printed.stdout + printed.stderr)), "it prints no password"
        return text

    return run


@pytest.mark.parametrize("before", [None, (REPOSITORY / ".env.example").read_text(), "DIGITMILL_WORKERS=4", EXISTING])
def test_make_env_adds_each_password_that_is_missing(tmp_path, make_env, before):
    """It creates .env, or adds what it lacks. It keeps passwords, other settings and comments, and a complete file."""
    if before is not None:
        (tmp_path / ".env").write_text(before)
    text = make_env()
    kept = ["DIGITMILL_REDIS_PASSWORD"] if before == EXISTING else []
    made = re.findall(r"^(DIGITMILL_\w+_(?:PASSWORD|TOKEN))=([0-9a-f]{48})(?: #|$)", text, re.MULTILINE)
    assert sorted(name for name, _ in made) == sorted({*PASSWORDS, "DIGITMILL_HTTP_TOKEN"} - set(kept))
    assert len({password for _, password in made}) == len(made)
    empty = {line for line in (before or "").splitlines() if re.match(r"\w+_(?:PASSWORD|TOKEN)=\s*(#|$)", line)}
    assert {*(before or "").splitlines()} - empty <= {*text.splitlines()}
    for line in empty:
        assert line.partition("#")[2] in text
    assert make_env() == text


def test_each_service_knows_only_its_own_password():
    """Compose hands the password of a user to Redis, and to one service."""
    compose = (REPOSITORY / "docker-compose.yml").read_text().partition("\nservices:\n")[2].partition("\nnetworks:")[0]
    [_, *services] = re.split(r"^  (\w+):(?: &\w+)?$", compose, flags=re.MULTILINE)
    told = {
        name: set(re.findall(r"\$\{(\w+_PASSWORD)", text))
        for name, text in zip(services[::2], services[1::2], strict=True)
    }
    own = {str(role): str(role) for role in Role} | {"producer": "submitter", "http": "submitter"}
    own |= {"admin": "admin", "exporter": "exporter"}
    assert told.pop("prometheus") == set()
    assert told.pop("redis") == set(PASSWORDS)
    assert told == {service: {RedisUser(f"digitmill-{role}").password_variable} for service, role in own.items()}
