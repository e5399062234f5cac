"""Whether charts can be drawn as PNG files here."""

import logging
from types import ModuleType

WITHOUT_MATPLOTLIB = (
    "The PNG charts were left out because Matplotlib is not installed; the page shows the same figures. "
    "To get them: pip install 'digitmill[report]'."
)


def load_png() -> ModuleType | None:
    """Import and return the module that draws PNG files, or return None if Matplotlib is not installed."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a cache that it cannot keep
    try:
        from producer.report.charts import png
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "matplotlib":
            raise
        return None
    return png
