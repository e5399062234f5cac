"""Join dots and dashes to strokes, where a digit is drawn in them, as for tracing."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from model.images.layout.drawn import Drawn
from model.images.raster import DETAILED_SIDE, connected_components


@dataclass(frozen=True, slots=True)
class JoiningLimits:
    """What digits in dots or dashes look like.

    Chosen on `benchmarks/scruffy.py --training --kinds dotted dashed`, and on the numbers in dots and in dashes and the
    single digits of `benchmarks/several.py --training`.
    """

    min_pieces: int = 6
    """Minimum number of pieces. Fewer are a broken digit, or several digits."""

    min_dots: int = 4
    """Minimum number of pieces that are all round, as in a one."""

    min_round: float = 0.6
    """Minimum of a dot's width over its height, of its height over its width, and of its area over that of its box. The
    area of a disc is 0.79 of its box."""

    min_solid: float = 0.7
    """Minimum of the median area of dots and dashes, as shares of the smallest rectangle around each. A disc has 0.79,
    and printed digits have less than 0.65."""

    max_pieces: int = 150
    """Maximum number of pieces. More are a texture. It also bounds time and memory."""

    max_piece: float = 0.35
    """Maximum length of a piece, as a share of the longer side of all of them."""

    max_area: float = 0.35
    """Maximum area of a piece, as a share of all of them."""

    max_usual: float = 0.22
    """Maximum of the median length of a piece, as a share of the longer side of all, if a few are longer."""

    max_few: float = 0.65
    """Maximum length of each of these few, as a share of the same side."""

    max_few_area: float = 0.5
    """Maximum area of each of these few, as a share of all pieces."""

    max_aspect: float = 1.6
    """Maximum width of the pieces that are joined, as a share of their height. Wider ones are a word."""

    large: float = 0.5
    """Minimum size of joined pieces that may be a word, as a share of the size of the largest ones."""

    max_usual_gap: float = 3.0
    """Maximum of the usual gap between neighbours, as a share of the usual length of a piece. Dust has wider gaps."""

    max_gap: float = 2.5
    """Maximum gap between two pieces that are joined, as a share of the usual gap."""

    line: float = 0.6
    """Width of the lines that join pieces, as a share of the usual width of a piece."""

    loop_gap: float = 1.3
    """Maximum gap, as a share of the usual one, that is closed although the pieces are joined already."""


LIMITS = JoiningLimits()


def joined(drawn: Drawn, *, are_solid: bool = False) -> Drawn:
    """Join the dots or dashes of each digit by lines between their ends.

    Args:
        drawn: What is drawn.
        are_solid: Whether pieces that may be bent strokes, and so whole digits, are not joined.

    Returns:
        What is drawn, with lines between the pieces of digits in dots or dashes. The same value for other drawings.
    """
    stats = drawn.components.stats
    if len(stats) < LIMITS.min_dots or max(drawn.components.mask.shape) < DETAILED_SIDE:
        return drawn
    is_piece = drawn.is_piece
    pieces = stats[is_piece]
    if not _may_be_joined(pieces):
        return drawn
    mask = drawn.components.mask_of(is_piece)
    outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if are_solid and not _are_solid(outlines):
        return drawn
    ends = np.stack([_ends(outline[:, 0]) for outline in outlines])
    links = _links(ends, float(np.median(pieces[:, 2:4].max(axis=1))))
    lines = mask.copy()
    width = max(1, round(float(np.median(pieces[:, 2:4].min(axis=1)) * LIMITS.line)))
    for start, end in links:
        cv2.line(lines, start.tolist(), end.tolist(), 255, width)
    components = connected_components(lines)
    if not links or _is_word(components.stats):
        return drawn
    return Drawn(components, np.ones(len(components.stats), np.bool_))


def _may_be_joined(pieces: MatLike) -> bool:
    """Return whether pieces have the number and the sizes of dots or dashes.

    Args:
        pieces: Left, top, width, height and area of each piece, int (n, 5).
    """
    if not LIMITS.min_dots <= len(pieces) <= LIMITS.max_pieces or not _are_small(pieces):
        return False
    return len(pieces) >= LIMITS.min_pieces or _are_round(pieces)


def _is_word(stats: MatLike) -> bool:
    """Return whether any of the large strokes that the pieces form is too wide for a digit.

    Args:
        stats: Left, top, width, height and area of each stroke, int (n, 5).
    """
    _, _, width, height, _ = stats.T
    size = np.maximum(width, height)
    is_wide = (size >= LIMITS.large * size.max()) & (width > LIMITS.max_aspect * height)
    return bool(is_wide.any())


def _are_small(stats: MatLike) -> bool:
    """Return whether pieces are small and alike, or most of them are, because a few dashes touch.

    Args:
        stats: Left, top, width, height and area of each piece, int (n, 5).
    """
    left, top, width, height, area = stats.T
    together = max(int((left + width).max() - left.min()), int((top + height).max() - top.min()))
    lengths = np.maximum(width, height)
    longest, largest = lengths.max(), area.max() / area.sum()
    if longest <= LIMITS.max_piece * together and largest <= LIMITS.max_area:
        return True
    return bool(
        longest <= LIMITS.max_few * together
        and largest <= LIMITS.max_few_area
        and np.median(lengths) <= LIMITS.max_usual * together
    )


def _are_round(stats: MatLike) -> bool:
    """Return whether all pieces are dots."""
    _, _, width, height, area = stats.T
    shares = np.minimum(width, height) / np.maximum(width, height), area / (width * height)
    return bool(min(share.min() for share in shares) >= LIMITS.min_round)


def _are_solid(outlines: Sequence[MatLike]) -> bool:
    """Return whether most outlines belong to dots and dashes, and few to bent strokes."""
    shares = [_solidity(outline) for outline in outlines]
    return float(np.median(shares)) >= LIMITS.min_solid


def _solidity(outline: MatLike) -> float:
    """Return the area that an outline encloses, with its own pixels, as a share of the smallest rectangle around it."""
    _, (width, height), _ = cv2.minAreaRect(outline)
    return float((cv2.contourArea(outline) + len(outline) / 2 + 1) / ((width + 1) * (height + 1)))


def _ends(outline: MatLike) -> NDArray[np.int32]:
    """Return the two points of an outline that are farthest apart, and the middle, int (3, 2)."""
    middle = outline.mean(axis=0)
    first = outline[np.square(outline - middle).sum(axis=1).argmax()]
    second = outline[np.square(outline - first).sum(axis=1).argmax()]
    return np.stack([first, second, np.rint(middle).astype(np.int32)])


def _links(ends: NDArray[np.int32], length: float) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
    """Return the pairs of points between which lines join pieces.

    The lines are the shortest ones that join all pieces, without long ones, and those that are about as short as these.

    Args:
        ends: Ends and middle of each piece, int (n, 3, 2).
        length: Usual length of a piece.

    Returns:
        The pairs, or none if the pieces are too far apart.
    """
    count = len(ends)
    points = ends.reshape(-1, 2).astype(np.float32)
    apart = np.linalg.norm(points[:, np.newaxis] - points, axis=2).reshape(count, 3, count, 3)
    by_pair = apart.transpose(0, 2, 1, 3).reshape(count, count, 9)
    gaps, places = by_pair.min(axis=2), by_pair.argmin(axis=2)
    np.fill_diagonal(gaps, np.inf)
    reached, nearest, tree = np.zeros(count, np.bool_), np.zeros(count, np.intp), []
    reached[0], gap = True, gaps[0].copy()
    for _ in range(count - 1):  # R. C. Prim, "Shortest connection networks", Bell Syst. Tech. J. 36 (1957)
        piece = int(np.where(reached, np.inf, gap).argmin())
        tree.append((int(nearest[piece]), piece))
        reached[piece] = True
        closer = gaps[piece] < gap
        gap, nearest = np.where(closer, gaps[piece], gap), np.where(closer, piece, nearest)
    usual = float(np.median([gaps[pair] for pair in tree]))
    if usual > LIMITS.max_usual_gap * length:
        return []
    pairs = {pair for pair in tree if gaps[pair] <= LIMITS.max_gap * usual}
    pairs |= {(int(a), int(b)) for a, b in np.argwhere(gaps <= LIMITS.loop_gap * usual) if a < b}
    return [(ends[a, places[a, b] // 3], ends[b, places[a, b] % 3]) for a, b in sorted(pairs)]
