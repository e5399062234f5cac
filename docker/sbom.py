"""List what the locks and the images contain, as CycloneDX: `make sbom`.

Each file of locked requirements gets a list with the hashes of all its packages (`cyclonedx-py`). Each image that
Docker has on this machine gets one with the packages of Debian and of Python that are installed in it, and with the
programs that its base brings without a package. Each list is validated against the schema of CycloneDX.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

LOCKS = ("worker", "report", "http", "serve", "train", "traces")
REPOSITORY = Path(__file__).parents[1]

_INSIDE = r"""
. /etc/os-release && echo "os $ID-$VERSION_ID"
dpkg-query -W -f 'deb ${Package} ${Version} ${Architecture}\n' 2>/dev/null
command -v redis-server >/dev/null && redis-server --version \
  | sed -n "s/^\([A-Z][a-z]*\) server v=\([0-9.]*\).*/program \1 \2/p"
command -v python >/dev/null && python -P -c '
import platform
from importlib.metadata import distributions
print("program python", platform.python_version())
for each in distributions():
    print("pypi", each.name, each.version)
'
true
"""
"""Prints what is in an image: a word for its kind, and then name and version."""


def components(said: str) -> list[dict[str, str]]:
    """Return the components that an image has named, as CycloneDX lists them.

    Args:
        said: What `_INSIDE` has printed in it.
    """
    found = {}
    system = "debian"
    for line in said.splitlines():
        kind, *words = line.split()
        match kind, words:
            case "os", [name]:
                system = name
            case "deb", [name, version, architecture]:
                namespace = system.partition("-")[0]
                purl = f"pkg:deb/{namespace}/{name}@{quote(version)}?arch={architecture}&distro={quote(system)}"
                found[purl] = {"type": "library", "name": name, "version": version, "purl": purl}
            case "pypi", [name, version]:
                purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{quote(version)}"
                found[purl] = {"type": "library", "name": name, "version": version, "purl": purl}
            case "program", [name, version]:
                purl = f"pkg:generic/{name.lower()}@{quote(version)}"
                found[purl] = {"type": "application", "name": name.lower(), "version": version, "purl": purl}
    return [{**each, "bom-ref": purl} for purl, each in sorted(found.items())]


def bill(image: str, digest: str, said: str) -> dict[str, Any]:
    """Return the list of an image.

    Args:
        image: Its name, with its tag.
        digest: Its identifier: `sha256:` and 64 digits.
        said: What `_INSIDE` has printed in it.
    """
    name, _, version = image.rpartition(":")
    about = {
        "type": "container",
        "name": name,
        "version": version,
        "bom-ref": image,
        "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": about},
        "components": components(said),
    }


def _validate(path: Path) -> None:
    from cyclonedx.schema import SchemaVersion  # type: ignore[import-not-found]  # in the environment of `make sbom`
    from cyclonedx.validation.json import JsonStrictValidator  # type: ignore[import-not-found]

    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(path.read_text(encoding="utf-8"))
    if fault:
        sys.exit(f"{path} does not fit the schema of CycloneDX, so correct docker/sbom.py: {fault}")


def _write_locks(folder: Path) -> Iterable[Path]:
    program = Path(sys.executable).with_name("cyclonedx-py")
    for name in LOCKS:
        path = folder / f"requirements-{name}.cdx.json"
        lock = REPOSITORY / "requirements" / f"{name}.txt"
        options = ["--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON"]
        subprocess.run([program, "requirements", lock, *options, "--output-file", path], check=True)
        yield path


def _write_images(folder: Path, images: Iterable[str]) -> Iterable[Path]:
    for image in images:
        seen = _docker("image", "inspect", "--format", "{{.Id}}", image)
        if seen is None:
            print(f"NOT LISTED: {image}, because Docker does not have it here. `docker compose build` makes it.")
            continue
        said = _docker(
            "run", "--rm", "--network", "none", "--user", "65534", "--entrypoint", "sh", image, "-c", _INSIDE
        )
        if said is None:
            sys.exit(
                f"A container of {image} did not list its packages. See why with "
                f"`docker run --rm --network none --user 65534 --entrypoint sh {image} -c true`."
            )
        path = folder / f"{image.partition(':')[0].replace('/', '-')}.cdx.json"
        path.write_text(json.dumps(bill(image, seen.strip(), said), indent=1) + "\n", encoding="utf-8")
        yield path


def _docker(*words: str) -> str | None:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    return None if done.returncode else done.stdout


def main() -> int:
    """Write all lists into a folder. Return 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=REPOSITORY / "sbom", help="folder of the lists (default sbom)")
    parser.add_argument("--images", nargs="*", help="images to list (default: those of docker-compose.yml)")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    paths = list(_write_locks(arguments.out))
    if not shutil.which("docker") or _docker("version") is None:
        print("NOT LISTED: the images, because no Docker Engine answers here.")
    else:
        compose = (REPOSITORY / "docker-compose.yml").read_text(encoding="utf-8")
        ours = list(dict.fromkeys(re.findall(r"^ *image: (digitmill-\S+)$", compose, re.MULTILINE)))
        paths += _write_images(arguments.out, arguments.images or ours)
    for path in paths:
        _validate(path)
        print(f"{path}  {len(json.loads(path.read_text(encoding='utf-8'))['components'])} components")
    return 0


if __name__ == "__main__":
    sys.exit(main())
