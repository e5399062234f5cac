"""The script of the pages with cards: one text made of several files, because a page loads nothing.

The files share one scope, which is that of a function, so that other scripts do not see their names. Each file may call
the functions of all, and when it begins it may use only the values of those before it.
"""

from pathlib import Path
from typing import Final

PARTS: Final = ("page", "wording", "marks", "filter", "drawing", "list", "correcting", "saving", "start")
"""Names of the files in `scripts/`, in their order."""

_FOLDER = Path(__file__).parent / "scripts"


def page_script() -> str:
    """Return the script of every page with cards. It loads nothing and sends nothing."""
    parts = [(_FOLDER / f"{part}.js").read_text(encoding="utf-8") for part in PARTS]
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"
