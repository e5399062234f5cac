"""The base images have exact tags, and `make pin` finds their digests at a registry, or says plainly that it cannot."""

import json
import re
import runpy
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from tests.test_containers import REPOSITORY

SCRIPT = REPOSITORY / "docker" / "pin.py"
base_images = runpy.run_path(str(SCRIPT))["base_images"]
DIGEST = f"sha256:{'ab' * 32}"


class Registry(BaseHTTPRequestHandler):
    """A registry that works as Docker Hub does: it sends whoever asks for an image to fetch a token first."""

    server: HTTPServer

    def do_GET(self):
        """Give a token for the repository that the question names."""
        self._answer(200, {"Content-Type": "application/json"}, json.dumps({"token": f"for {self.path}"}).encode())

    def do_HEAD(self):
        """Tell the digest of a tag, if the token is for its repository."""
        if "garbage" in self.path:
            self.wfile.write(b"garbage\r\n")
        elif "python" not in self.path:
            self._answer(404, {})
        elif "library%2Fpython" in self.headers.get("Authorization", ""):
            self._answer(200, {"Docker-Content-Digest": DIGEST})
        else:
            realm = f"http://{self.headers['Host']}/token"
            scope = "repository:library/python:pull"
            self._answer(401, {"WWW-Authenticate": f'Bearer realm="{realm}",service="here",scope="{scope}"'})

    def _answer(self, code, headers, body=b""):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    """Address of a registry on this machine that has the image `library/python`."""
    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def pin(folder: Path, dockerfile: str) -> subprocess.CompletedProcess[str]:
    """Pin the images of a folder with this Dockerfile and our file of Compose without images of others."""
    (folder / "Dockerfile").write_text(dockerfile)
    (folder / "docker-compose.yml").write_text("    image: digitmill-worker:0.2.0\n")
    command = [sys.executable, str(SCRIPT), "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_base_image_has_an_exact_tag():
    """So two builds of one commit do not differ by a release of Python or Redis. The script finds each of them."""
    dockerfile = (REPOSITORY / "Dockerfile").read_text()
    compose = (REPOSITORY / "docker-compose.yml").read_text()
    named = re.findall(r"^ARG \w+=(\S+)$", dockerfile, re.MULTILINE)
    named += [each["image"] for each in yaml.safe_load(compose)["services"].values() if "build" not in each]
    assert len(named) == 3
    found = base_images(dockerfile) + base_images(compose)
    assert found == [image.partition("@")[0] for image in named]


def test_digests_are_written_behind_tags_and_replaced_later(registry, tmp_path):
    """A second run finds the tag again, and changes nothing else."""
    image = f"{registry}/library/python:3.11.14-slim"
    ended = pin(tmp_path, f"# base\nARG PYTHON={image}\nFROM $PYTHON\n")
    assert (ended.returncode, ended.stdout) == (0, f"{image}  {DIGEST}\n")
    written = (tmp_path / "Dockerfile").read_text()
    assert written == f"# base\nARG PYTHON={image}@{DIGEST}\nFROM $PYTHON\n"
    assert pin(tmp_path, written.replace("ab", "cd")).returncode == 0
    assert (tmp_path / "Dockerfile").read_text() == written


@pytest.mark.parametrize(
    "image",
    [
        "{registry}/library/redis:7.4.6",
        "{registry}/library/garbage:7.4.6",
        "127.0.0.1:1/library/python:3.11.14",
    ],
)
def test_nothing_is_pinned_where_no_registry_tells_a_digest(registry, tmp_path, image):
    """Not even the other images, and the message names what is missing."""
    other = f"ARG PYTHON={registry}/library/python:3.11.14-slim\n"
    image = image.format(registry=registry)
    ended = pin(tmp_path, f"{other}ARG REDIS={image}\n")
    assert ended.returncode == 1
    assert f"did not give the digest of {image}" in ended.stdout
    assert "Nothing was pinned" in ended.stdout
    assert (tmp_path / "Dockerfile").read_text() == f"{other}ARG REDIS={image}\n"


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_the_lab_gets_the_base_images_of_the_files():
    """`.ci/run` asks for stand-ins of exactly these."""
    [line] = [line.strip() for line in (REPOSITORY / ".ci" / "run").read_text().splitlines() if "mapfile" in line]
    said = subprocess.run(
        ["bash", "-c", f'{line}; printf "%s\\n" "${{images[@]}}"'],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    files = "".join((REPOSITORY / name).read_text() for name in ("Dockerfile", "docker-compose.yml"))
    assert said.stdout.split() == base_images(files)
