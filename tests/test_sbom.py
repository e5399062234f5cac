"""What `make sbom` writes about an image. The command itself validates each list against the schema of CycloneDX."""

import re
import runpy

from tests.test_containers import REPOSITORY

SAID = """\
os debian-12
deb libc6 2.36-9+deb12u13 amd64
program Redis 7.4.6
program python 3.11.14
pypi Jinja2 3.1.6
pypi ai_edge.litert 2.3.0
pypi jinja2 3.1.6
"""


SCRIPT = runpy.run_path(str(REPOSITORY / "docker" / "sbom.py"))


def test_each_package_of_an_image_is_listed_once_under_its_package_url():
    """Debian's and Python's, and the programs that the base built itself."""
    listed = SCRIPT["bill"]("digitmill-worker:0.2.0", f"sha256:{'ab' * 32}", SAID)
    assert listed["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert [each["purl"] for each in listed["components"]] == [
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u13?arch=amd64&distro=debian-12",
        "pkg:generic/python@3.11.14",
        "pkg:generic/redis@7.4.6",
        "pkg:pypi/ai-edge-litert@2.3.0",
        "pkg:pypi/jinja2@3.1.6",
    ]
    assert len({each["bom-ref"] for each in listed["components"]}) == len(listed["components"])


def test_all_locks_of_the_images_are_listed():
    """Each file of requirements that the Dockerfile installs has a list, except that of the build alone."""
    used = set(re.findall(r"-r requirements/(\w+)\.txt", (REPOSITORY / "Dockerfile").read_text()))
    assert used - {"build"} <= set(SCRIPT["LOCKS"])
