"""Numbers, times and names as the page shows them."""

from datetime import datetime

from model.errors import FailureCode
from model.images.doubts import DoubtCode
from model.printable import printable

DOUBTS = {
    DoubtCode.INK_LEFT_OUT: "read from a part of the ink",
    DoubtCode.CROSSED_OUT: "crossed out",
    DoubtCode.OTHER: "doubtful for another reason",
}
"""Each doubt in words that follow a number of images. What a report says about one image also says how much ink."""

CAUSES = {
    "mistake": "wrong",
    **{str(code): words for code, words in DOUBTS.items()},
    str(FailureCode.SEVERAL_DIGITS): "several digits",
    "confidence": "low confidence",
}
"""Each reason for which a report has a card for an image, in words, by its code."""

_NO_BREAK = "\N{NO-BREAK SPACE}"


def number(value: float) -> str:
    """Return a count with commas between the thousands."""
    return f"{value:,.0f}"


def percent(share: float, decimals: int = 2) -> str:
    """Return a share, 0 to 1, as a percentage.

    The text is 100 % or 0 % only if the share is exactly 1 or 0. Otherwise it gets more decimals where it needs them.
    """
    if share in (0, 1):
        return f"{100 * share:.0f}{_NO_BREAK}%"
    for places in range(decimals, 7):
        text = f"{100 * share:.{places}f}"
        if 0 < float(text) < 100:
            break
    return f"{text}{_NO_BREAK}%"


def duration(seconds: float) -> str:
    """Return a duration in seconds, in minutes and seconds, or in hours and minutes."""
    if seconds < 60:
        return f"{seconds:.{2 if seconds < 10 else 1}f}{_NO_BREAK}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}{_NO_BREAK}min {rest}{_NO_BREAK}s"
    return f"{minutes // 60}{_NO_BREAK}h {minutes % 60}{_NO_BREAK}min"


def moment(iso: str) -> str:
    """Return an ISO 8601 time to the minute, for people."""
    return datetime.fromisoformat(iso).strftime(f"%Y-%m-%d %H:%M{_NO_BREAK}%Z")


def visible(text: str) -> str:
    """Return `text` with invisible characters escaped as in Python.

    A line break, or a mark that reverses the direction of writing, could make one name look like another.
    """
    return printable(text)


def shown(text: str) -> str:
    """Return any text of the page with invisible characters escaped, except the spaces that this module puts in."""
    return _NO_BREAK.join(map(printable, text.split(_NO_BREAK)))


def shortened(text: str, length: int = 34) -> str:
    """Return `text`, without its middle if it is longer than `length`, because the ends of a path say most."""
    if len(text) <= length:
        return text
    head = length // 3
    return f"{text[:head]}…{text[len(text) - (length - head - 1) :]}"
