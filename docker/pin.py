#!/usr/bin/env python3
"""Write the digests of the base images behind their tags: `make pin`.

A tag can lead to another image tomorrow, and a digest cannot. Each registry is asked over its HTTP API, so this needs
neither Docker nor anything else that is installed. A file changes only if all digests are known.
"""

import argparse
import http.client
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

FILES = ("Dockerfile", "docker-compose.yml")

SECONDS = 10.0
"""Time within which a registry must answer."""

BASE = re.compile(
    r"(?P<before>^ARG \w+=|^ *image: )(?P<image>[\w.:/-]+?:v?\d+\.\d+\.\d+[\w.-]*)(?:@sha256:[0-9a-f]{64})?$",
    re.MULTILINE,
)
"""An image of somebody else in a file, with an exact tag. Ours have names without a slash, and are built here."""

_OURS = "digitmill-"
_KINDS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class NoDigest(Exception):
    """A registry did not give the digest of an image."""


def base_images(text: str) -> list[str]:
    """Return the base images that a file names, without digests."""
    return [found["image"] for found in BASE.finditer(text) if not found["image"].startswith(_OURS)]


def digest_of(image: str) -> str:
    """Ask the registry of an image for the digest behind its tag, of all platforms together.

    Args:
        image: Name with a tag, such as `python:3.11.14-slim-bookworm` or `127.0.0.1:5000/python:3.11.14`.

    Raises:
        NoDigest: The registry does not answer, or does not have the image.
    """
    name, _, tag = image.rpartition(":")
    host, slash, rest = name.partition("/")
    if not slash or not ("." in host or ":" in host):
        host, rest = "registry-1.docker.io", name if slash else f"library/{name}"
    scheme = "http" if host.startswith("127.") else "https"  # as Docker does
    url = f"{scheme}://{host}/v2/{rest}/manifests/{tag}"
    try:
        try:
            digest = _head(url, "")
        except urllib.error.HTTPError as fault:
            if fault.code != 401:
                raise
            digest = _head(url, _token(fault.headers.get("WWW-Authenticate", "")))
    except (OSError, ValueError, http.client.HTTPException) as fault:
        raise NoDigest(f"{host} did not give the digest of {image} ({fault})") from None
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise NoDigest(f"{host} answered without a digest for {image}")
    return digest


def _head(url: str, token: str) -> str:
    headers = {"Accept": ", ".join(_KINDS), **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(url, headers=headers, method="HEAD")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return str(answer.headers.get("Docker-Content-Digest", ""))


def _token(challenge: str) -> str:
    """Return the token for which a registry asks. Everybody gets one for a public image."""
    words = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = words.pop("realm", "")
    if not realm.startswith(("https://", "http://127.")):
        raise ValueError("it asks for a password")
    with urllib.request.urlopen(f"{realm}?{urllib.parse.urlencode(words)}", timeout=SECONDS) as answer:
        body = json.load(answer)
    given = body if isinstance(body, dict) else {}
    return str(given.get("token") or given.get("access_token") or "")


def pinned(text: str, digests: dict[str, str]) -> str:
    """Return the text of a file with a digest behind each base image."""
    return BASE.sub(
        lambda found: (
            found[0]
            if found["image"].startswith(_OURS)
            else f"{found['before']}{found['image']}@{digests[found['image']]}"
        ),
        text,
    )


def main() -> int:
    """Pin the base images of the files. Return 1, and change nothing, if a digest cannot be found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[1], help="folder of the files")
    folder = parser.parse_args().folder
    texts = {folder / name: (folder / name).read_text(encoding="utf-8") for name in FILES}
    try:
        digests = {image: digest_of(image) for text in texts.values() for image in base_images(text)}
    except NoDigest as fault:
        print(
            f"{fault}. Nothing was pinned: the base images keep their exact tags. Try again where the registry answers."
        )
        return 1
    for path, text in texts.items():
        path.write_text(pinned(text, digests), encoding="utf-8")
    for image, digest in digests.items():
        print(f"{image}  {digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
