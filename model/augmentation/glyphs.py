"""Letters and signs that nobody takes for a digit, as strokes of a pen.

The tables leave out what people write like a digit: O o D Q a, triangle (0); I l i ! | / ( ^ and the arrow upwards (1);
Z z ? and sigma (2); mirrored E, } (3); Y y u q, lightning (4); S s J j $ (5); G b e c t (6); r > ] and corners (7);
B & and infinity, hourglass (8); g and the quaver (9).
"""

from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

LETTERS: Final = {
    "A": "08 30 68|15 55",
    "C": "~71 40 12 04 16 48 77",
    "E": "60 00 08 68|04 44",
    "F": "60 00 08|04 44",
    "H": "00 08|60 68|04 64",
    "K": "00 08|60 04 68",
    "L": "00 08 58",
    "M": "08 00 45 80 88",
    "M, slanting": "08 10 45 70 88",
    "N": "08 00 68 60",
    "P": "08 00|~00 40 62 44 04",
    "R": "08 00|~00 40 62 44 04|34 68",
    "T": "00 80|40 48",
    "U": "~00 05 38 65 60",
    "V": "00 38 60",
    "W": "00 28 42 68 80",
    "W, round": "~00 16 28 43 68 76 80",
    "X": "00 68|60 08",
    "d": "60 68|~64 33 06 38 66",
    "f": "~61 40 32 35 38|13 53",
    "h": "00 08|~05 34 55 58",
    "k": "00 08|53 05 58",
    "m": "03 08|~05 23 44 48|~45 63 84 88",
    "n": "03 08|~05 33 54 58",
    "Ae": "08 40 48 88|40 80|14 74",
    "Pi": "08 00 60 68",
    "pi": "~02 10 30 80|30 28|60 68",
    "Psi": "~00 15 45 75 80|40 48",
    "Zhe": "00 88|80 08|40 48",
    "I, Cyrillic": "00 08 60 68",
    "Sha": "00 08 88 80|40 48",
    "Em": "08 10 45 70 88|00 20|60 80",
    "tree": "02 82|40 48|~42 25 07|~42 65 87",
    "big": "03 83|~40 43 08|~43 65 88",
    "king": "00 80|04 84|08 88|40 48",
    "field": "00 80 88 08 00|04 84|40 48",
}
"""Glyphs by name. `|` separates strokes. A stroke is a sequence of points, and `~` before it makes it a curve.

A point is two figures, 0 to 8: the distances right and down, in eighths of a unit."""

SIGNS: Final = {
    "plus": "04 84|40 48",
    "asterisk": "00 88|80 08|40 48|04 84",
    "to the right": "04 84|52 84 56",
    "to the left": "04 84|32 04 36",
    "downwards": "40 48|15 48 75",
    "both ways": "04 84|22 04 26|62 84 66",
    "check mark": "05 28 80",
    "round check mark": "~04 15 28 44 80",
    "dash": "04 84",
    "equals": "02 82|06 86",
    "identical": "01 81|04 84|07 87",
    "not equal": "02 82|06 86|70 18",
    "divided by": "04 84|41 41|47 47",
    "plus or minus": "03 83|40 46|08 88",
    "less": "80 04 88",
    "hash": "20 18|70 68|02 82|06 86",
    "per cent": "80 08|~00 20 22 02 00|~66 86 88 68 66",
    "wave": "~05 22 45 66 83",
    "waves": "~03 21 43 64 81|~07 25 47 68 85",
    "ellipsis": "04 04|44 44|84 84",
    "quotation marks": "20 24|60 64",
    "bracket": "40 00 08 48",
    "root": "05 18 30 80",
    "star": "18 40 78 03 83 18",
    "heart": "~43 20 02 14 48|~43 60 82 74 48",
    "smile": "~40 71 84 77 48 17 04 11 40|33 33|53 53|~25 46 65",
    "sun": "~42 62 66 26 22 42|40 48|04 84|11 77|71 17",
    "house": "04 40 84|14 18 78 74",
    "frown": "~40 71 84 77 48 17 04 11 40|33 33|53 53|~27 45 67",
    "envelope": "02 82 86 06 02|02 45 82",
    "wide box": "02 82 86 06 02",
    "crossed box": "00 80 88 08 00|00 88|80 08",
    "ticked box": "00 80 88 08 00|24 46 82",
    "euro": "~71 40 12 04 16 48 77|02 52|06 56",
    "stick figure": "~40 51 42 31 40|42 45|13 73|28 45 68",
    "three in a row": "00 08|40 48|80 88",
    "noughts and crosses": "30 38|60 68|03 83|06 86",
    "comb": "02 82|02 07|32 37|52 57|82 87",
    "gate": "00 08|80 88|02 82|05 85",
}
"""Glyphs by name, in the notation of `LETTERS`."""

STROKES: Final = 5
"""Maximum number of strokes of a glyph."""

POINTS: Final = 16
"""Number of points of each stroke."""


@cache
def strokes(table: str) -> NDArray[np.float32]:
    """Return all glyphs of a table.

    Args:
        table: Name of the table, "letters" or "signs".

    Returns:
        Points, float32 (glyphs, STROKES, POINTS, 2): right and down, about 0 to 1; NaN where a glyph has fewer strokes.
        The array is read-only, because callers share it.
    """
    texts = {"letters": LETTERS, "signs": SIGNS}[table].values()
    glyphs = np.full((len(texts), STROKES, POINTS, 2), np.nan, np.float32)
    for glyph, text in zip(glyphs, texts, strict=True):
        for index, stroke in enumerate(parse(text)):
            glyph[index] = (curve if stroke.is_curve else polygon)(stroke.corners, POINTS)
    glyphs.flags.writeable = False
    return glyphs


class Stroke(NamedTuple):
    """One movement of the pen."""

    corners: NDArray[np.float64]  # (n, 2): right and down, about 0 to 1
    is_curve: bool  # whether a smooth line goes through the corners; otherwise straight lines do


def parse(text: str) -> list[Stroke]:
    """Return the strokes of a glyph.

    Args:
        text: Glyph in the notation of `LETTERS`.
    """
    return [
        Stroke(
            np.array([[int(figure) for figure in point] for point in stroke.lstrip("~").split()]) / 8,
            stroke.startswith("~"),
        )
        for stroke in text.split("|")
    ]


def polygon(corners: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Return points on the straight lines from corner to corner. Every corner is one of the points.

    Args:
        corners: Corners, (…, n, 2) with n > 1.
        points: Number of points, at least n.

    Returns:
        Points, (…, points, 2).
    """
    legs = corners.shape[-2] - 1
    ends = np.round(np.linspace(0, points - 1, legs + 1))
    time = np.interp(np.arange(points), ends, np.arange(legs + 1))
    leg = np.minimum(time.astype(int), legs - 1)
    part = (time - leg)[:, np.newaxis]
    line: NDArray[np.float64] = corners[..., leg, :] * (1 - part) + corners[..., leg + 1, :] * part
    return line


def curve(corners: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Return points on a smooth curve through corners. The curve ends at the outer corners.

    The curve is the uniform spline of E. Catmull, R. Rom, "A Class of Local Interpolating Splines", 1974.

    Args:
        corners: Corners, (…, n, 2) with n > 1.
        points: Number of points.

    Returns:
        Points, (…, points, 2).
    """
    legs = corners.shape[-2] - 1
    time = np.linspace(0, legs, points)
    leg = np.minimum(time.astype(int), legs - 1)
    before, start, end, after = (corners[..., np.clip(leg + offset, 0, legs), :] for offset in (-1, 0, 1, 2))
    part = (time - leg)[:, np.newaxis]
    doubled: NDArray[np.float64] = (
        2 * start
        + (end - before) * part
        + (2 * before - 5 * start + 4 * end - after) * part**2
        + (3 * (start - end) + after - before) * part**3
    )
    return doubled / 2
