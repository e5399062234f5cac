"""How pages become HTML: the templates beside this module, and pictures inside the page."""

import hashlib
import json
from base64 import b64encode
from functools import cache
from pathlib import Path

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from model.images.raster import Grey
from producer.report import wording


def data_uri(pixels: Grey) -> str:
    """Return a picture as a `data:` address, PNG, so that the page needs no other file.

    Args:
        pixels: 0 for black to 255 for white.
    """
    # A quarter of the time that a few bytes less would take.
    _, file = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return "data:image/png;base64," + b64encode(file.tobytes()).decode("ascii")


@cache
def environment() -> Environment:
    """Return Jinja's environment with the templates and the filters of all pages."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # anyone may have named the files
        finalize=_shown,  # and have written the records
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "number": wording.number,
        "percent": wording.percent,
        "duration": wording.duration,
        "moment": wording.moment,
        "visible": wording.visible,
        "shortened": wording.shortened,
        "source_hash": source_hash,
        "json": _json,
    }
    return made


def source_hash(text: str) -> str:
    """Return what a page's policy says to allow one style sheet or script, and no other: a hash of its text."""
    return "'sha256-" + b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") + "'"


def _json(value: object) -> Markup:
    """Return JSON that a page can hold between the tags of a script, whatever texts it has."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))  # noqa: S704  no markup is left


def _shown(value: object) -> object:
    """Return what the page shows of a value. What a macro has written has been through here."""
    return wording.shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
