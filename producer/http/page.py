"""The page for people who try the server. It loads nothing from elsewhere, and only its own style and script run."""

import io
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from model.data import sample_digits
from model.images.limits import MAX_BYTES
from producer.http.limits import MAX_BODY_BYTES, MAX_PARTS

_FOLDER = Path(__file__).parent
_REPORT_STYLE = _FOLDER.parent / "report" / "report.css"
_SEVEN = 266  # of the sample digits for testing: one that people and the model read alike


class Page(NamedTuple):
    """The page.

    Attributes:
        html: The page itself.
        policy: Its Content-Security-Policy.
    """

    html: str
    policy: str


def render(*, needs_token: bool) -> Page:
    """Return the page.

    Args:
        needs_token: Whether a client must present a token.
    """
    style, script = _read(_REPORT_STYLE) + _read(_FOLDER / "page.css"), _read(_FOLDER / "page.js")
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("page.html.j2").render(
        style=style,
        script=script,
        needs_token=needs_token,
        max_image=MAX_BYTES // 2**20,
        max_body=MAX_BODY_BYTES // 2**20,
        max_parts=MAX_PARTS,
    )
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src 'self' blob:; "
        "connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    )
    return Page(html, policy)


def example() -> bytes:
    """Return an image of a seven, as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(sample_digits.load().test.images[_SEVEN]).save(file, "PNG")
    return file.getvalue()


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
