"""How pages become HTML: the templates beside this module, and pictures inside the page."""

from base64 import b64encode
from io import BytesIO
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from producer.report import wording


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture as a `data:` address, PNG, so that the page needs no other file.

    Args:
        pixels: uint8 (height, width), 0 for black to 255 for white.
    """
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return "data:image/png;base64," + b64encode(file.getvalue()).decode("ascii")


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
    }
    return made


def _shown(value: object) -> object:
    """Return what the page shows of a value. What a macro has written has been through here."""
    return wording.shown(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
