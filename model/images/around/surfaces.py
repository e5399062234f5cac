"""Find the surface that carries a digit: a disc, an ellipse, a tile, a button, the pin of a map.

A surface is ink of its own on the page: a solid shape with a full, convex rim. So is a one, but that is narrow; and a
zero drawn with a marker, whose hole follows its rim, and is empty but for a dot or a slash in the middle. The digit is
something else inside: often a hole in the ink, which is not convex, or has the loops of a digit as islands in it; and
sometimes ink of another grey. So what is on the surface is looked for in the image again, on the surface alone.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from model.images.around.badges import bodies
from model.images.around.rim import DEPTHS, Rim, has_corners, looked_at, polygon
from model.images.raster import (
    Bounds,
    Components,
    Grey,
    Mask,
    border_pixels,
    connected_components,
    cumulative,
    level_at,
    lightest_of,
    mask_above,
    ordered,
    quantile,
    without_holes,
)


@dataclass(frozen=True, slots=True)
class SurfaceLimits:
    """What tells a surface from a digit.

    Each was chosen on MNIST's training digits with `benchmarks/surroundings.py --training`.
    """

    min_long_pixels: int = 22
    """Minimum of the longer side of a surface in pixels. MNIST's digits have 20 at most, and a zero of that size with
    thick strokes or a slash is as solid as a surface."""

    gate: float = 0.39
    """Minimum area of strokes, as a share of their bounds, from which a surface is looked for at all."""

    levels: tuple[float, ...] = (0.3, 0.5)
    """Differences from the border of the image, as shares of the greatest, from which pixels may be a surface."""

    min_ground_pixels: int = 32
    """Minimum of the longer side of an image, in pixels, in which a surface that is not ink is looked for."""

    ground: float = 0.05
    """Share of the border's pixels at each end of their order that may be drawn, and do not say how even ground is."""

    min_difference: int = 12
    """Minimum number of levels, of 255, by which such a surface differs from the ground, and at least as much as the
    ground varies."""

    inked: float = 0.4
    """Maximum share of such a surface that is ink.

    Of 600 digits with nothing around them, the ink of two zeros covers 0.55 of what differs from their ground, which
    has the blur around it. Of 32 buttons that are not ink, it covers 0.45 at most. With 0.5, two of 600 zeros on balls
    are taken for one more ring."""

    bounds_area: float = 0.5
    """Minimum area of ink, as a share of its bounds. That of a disc with a digit on it is 0.66, of a drop 0.55."""

    hull_area: float = 0.8
    """Minimum area of ink, as a share of its hull. Islands in its holes count as well, as in a zero on a disc. Discs
    with a digit on them have 0.84 and more, and digits less than 0.75, except ones and a few zeros of markers.

    Without the islands, two in a hundred of `benchmarks/surroundings.py --training --kinds map_pin` are not found."""

    symmetric_hull_area: float = 0.74
    """The same of ink that is as symmetric as a program draws it. A disc with a bold digit on it has 0.74 to 0.8."""

    carved_hull_area: float = 0.5
    """The same of ink out of which a digit is cut.

    It has a hole with the shape of a digit, which no zero has. A disc with a bold eight of 0.76 of its height on it
    has 0.6."""

    carved_convex: float = 0.8
    """Maximum area of a hole without islands, as a share of its own hull's, for the hole to be a digit.

    Twos have 0.64 at most, and holes of printed zeros 0.89 and more."""

    looped_convex: float = 0.9
    """The same of a hole with one island of ink, as in a four, a six and a nine.

    Of 1,800 digits on surfaces, these have 0.9 at most. The holes of zeros with a dot have 0.92 and more."""

    zero_hull_area: float = 0.92
    """Minimum area of ink with corners, as a share of its hull's, from which its hole is not that of a zero.

    Tall tiles with a one on them have 0.94 and more."""

    carved_bounds_area: float = 0.39
    """Minimum area of such ink, as a share of its bounds. That of a disc is 0.785 of the area of its hull."""

    loose: float = 0.4
    """Maximum area of a second hole, as a share of the larger one's, as that of the loose bar of a five.

    Beside the slash of a zero are two of one size."""

    loop: float = 0.006
    """Minimum area of an island of ink in a hole, as a share of the hull's. Noise makes smaller ones, up to 0.003."""

    loop_off_centre: float = 0.1
    """Minimum distance of the only island from the middle of the rim, as a share of the radius, for it to be a loop.

    Dots in zeros have up to 0.07, and the loops of nineteen sixes of twenty 0.146 and more."""

    coverage: float = 0.97
    """Minimum share of the rays that meet ink at the hull. Surfaces have 1, one digit in twelve has 0.85."""

    cut: float = 0.4
    """Maximum length of a surface along a side of the image, as a share of its own. A shadow that the side cuts off has
    more, and a disc that fills the image has less."""

    start: float = 0.06
    """Distance from the hull, as a share of the radius, up to which ink is at the hull."""

    shape: float = 0.45
    """Minimum of the shorter side, as a share of the longer one. Ones are narrower."""

    long_tile: float = 0.15
    """The same of a tile with several digits, above each other or side by side.

    Chosen for four digits above each other, on "one tile" of `benchmarks/several.py --training`."""

    hole: float = 0.006
    """Minimum area of a hole, as a share of the hull's. Noise makes smaller ones."""

    max_holes: int = 2
    """Maximum number of holes that may be those of a digit: an eight has two."""

    convex: float = 0.86
    """Minimum area of a hole, as a share of its own hull's, for the hole to be that of a zero."""

    beside_slash: float = 0.7
    """The same of two holes that are alike, as those beside the slash of a bold zero, which end in points."""

    alike: float = 0.75
    """Minimum area of one of them, as a share of the other's. Parts of a digit have up to 1, but are not centred."""

    centred: float = 0.03
    """Maximum distance of the middle of both from the middle of the rim, as a share of the radius.

    Parts of a digit have 0.04 and more."""

    level: float = 0.75
    """Minimum height that the holes of two digits beside each other share, as a share of that of the higher one.

    Holes beside the slash of a zero share 0.73 at most, in 1,500 drawings of `benchmarks/surroundings.py --training
    --kinds slashed_zero`."""

    overlap: float = 0.3
    """Maximum width that such holes share, as a share of that of the narrower one.

    Ones that lean share some width. Holes beside the slash of a zero share more, in all these drawings."""

    hole_length: float = 0.25
    """Minimum length of a hole that could be a digit, as a share of the shorter side of the surface."""

    least_beside: float = 0.75
    """Minimum thickness of a zero at its sides, over that at its ends."""

    beside: float = 1.2
    """Maximum of the same, where the pen is round."""

    upright: float = 0.85
    """Maximum width of a narrow zero, as a share of its height. Bold print has thin ends, so there the hole of a zero
    may be as narrow as a one."""

    round: float = 0.85
    """Minimum width of a surface, as a share of its height, whose round hole may carry a digit, as that of a ball."""

    asymmetry: float = 0.025
    """Maximum deviation of opposite radii, as a share of the radius, of a shape that a program drew."""

    badge_asymmetry: float = 0.05
    """Maximum deviation of opposite radii of the body of a badge, as a share of the radius, unless a digit is cut out
    of it. Of 180 bodies two have more, and the loops of bold fours and nines 0.07 and more."""

    half: float = 0.75
    """Area of the largest part of ink, as a share of all ink, below which the parts are looked at together."""

    face: tuple[float, float] = (0.2, 0.36)
    """Distances from the rim, as shares of the radius, between which a surface shows its face."""

    edge: float = 0.15
    """Difference of levels, as a share of the range of levels, from which a pixel is not the face."""

    min_edge: int = 16
    """The same in levels of 255, at least."""

    edge_gap: float = 0.08
    """Width of face, as a share of the radius, that ends the border. What differs further inside is a large digit."""

    edge_rays: float = 0.14
    """Minimum share of the rays on which the border of a surface differs from its face."""

    inset: float = 0.07
    """Width of the rim that is left out with its border and its soft edge, as a share of the radius."""

    inset_pixels: float = 1.5
    """The same in pixels, at least."""


LIMITS = SurfaceLimits()


def find_surface(image: Grey, components: Components, least: float) -> Mask | None:
    """Find a surface that may carry a digit.

    Args:
        image: Grey levels, uint8 (height, width).
        components: Components of all strokes, at least one.
        least: Minimum of the shorter side of a surface, in pixels.

    Returns:
        Mask of the surface without its edge, (height, width), or None where nothing is a surface.
    """
    stats, strokes = components.stats, components.mask
    index = int(stats[:, 4].argmax())
    _, _, width, height, area = stats[index].tolist()
    rim = None
    share = area / (width * height) if _is_large(width, height, least) else 0.0
    if share >= LIMITS.gate:
        if share >= LIMITS.carved_bounds_area:
            rim = _rim_of_surface(components.mask_of_one(index), strokes)
        if rim is None and area < LIMITS.half * cv2.countNonZero(strokes):  # a digit may cut a surface into parts
            rim = _rim_of_surface(strokes, strokes)
        if rim is None:
            rim = _rim_by_level(image, least)
    if rim is None and _may_be_on_surface(image, stats[index, :4].tolist()):
        rim = _rim_on_ground(image, strokes, least)
    if rim is None and share >= LIMITS.carved_bounds_area:  # at last: a button without its gloss looks like a badge
        rim = _rim_of_badge(components.mask_of_one(index), strokes)
    if rim is None:
        return None
    inset = max(LIMITS.inset, _edge(image, rim))
    return _face(strokes.shape, rim, inset)


def is_surface(ink: Mask, strokes: Mask) -> bool:
    """Return whether ink is a surface that may carry a digit.

    Args:
        ink: Mask of the ink, (height, width).
        strokes: Mask of all strokes, so of what is in the holes of the ink as well.
    """
    return _rim_of_surface(ink, strokes) is not None or _rim_of_badge(ink, strokes) is not None


def _face(shape: tuple[int, int], rim: Rim, inset: float) -> Mask:
    """Return the mask of what is inside a rim of some width, as a share of the radius."""
    return polygon(shape, rim.inset(np.maximum(inset * rim.radius, LIMITS.inset_pixels)))


def _edge(image: Grey, rim: Rim) -> float:
    """Return how far a border, a shadow or a bevel reaches inwards from the rim, as a share of the radius.

    There many rays differ from the face further inside, while a digit covers few.
    """
    rays = looked_at(image, rim.centre, rim.radius).astype(np.float64)
    outermost, innermost = (round(share * DEPTHS) for share in LIMITS.face)
    face = np.median(rays[:, outermost:innermost], axis=1, keepdims=True)
    differs = np.abs(rays[:, :outermost] - face) > max(LIMITS.min_edge, LIMITS.edge * np.ptp(rays))
    reached = np.flatnonzero(differs.mean(axis=0) >= LIMITS.edge_rays)
    apart = np.flatnonzero(np.diff(reached, prepend=0) > LIMITS.edge_gap * DEPTHS)
    reached = reached[: apart[0]] if len(apart) else reached  # what is further inside is the digit
    return (int(reached[-1]) + 2) / DEPTHS if len(reached) else 0.0


def _is_large(width: int, height: int, least: float) -> bool:
    """Return whether a shape of this size may be a surface, whose shorter side has at least `least` pixels."""
    return min(width, height) >= least and max(width, height) >= LIMITS.min_long_pixels


def _may_be_on_surface(image: Grey, bounds: Bounds) -> bool:
    """Return whether any of four places beside a digit differs from the corners of the image. In few images one does.

    Args:
        image: Grey levels, uint8 (height, width).
        bounds: Left, top, width and height of the digit in pixels.
    """
    rows, columns = image.shape
    if max(rows, columns) < LIMITS.min_ground_pixels:
        return False
    left, top, width, height = bounds
    away = 2 + max(width, height) // 8
    x, y = left + width // 2, top + height // 2
    right, bottom = min(left + width + away, columns) - 1, min(top + height + away, rows) - 1
    beside = image[y, max(left - away, 0)], image[y, right], image[max(top - away, 0), x], image[bottom, x]
    corners = sorted((int(image[0, 0]), int(image[0, -1]), int(image[-1, 0]), int(image[-1, -1])))
    low, high = corners[1] - LIMITS.min_difference, corners[2] + LIMITS.min_difference
    return not all(low <= level <= high for level in beside)


def _rim_on_ground(image: Grey, strokes: Mask, least: float) -> Rim | None:
    """Return the rim of a surface that was taken for paper, so that only what is on it is ink.

    It differs from the ground that the border of the image shows.
    """
    border = ordered(border_pixels(image))
    low, ground, high = (level_at(border, share) for share in (LIMITS.ground, 0.5, 1 - LIMITS.ground))
    difference = cv2.absdiff(image, np.full_like(image, ground))
    differs = mask_above(difference, max(LIMITS.min_difference, high - low))
    _, _, width, height = cv2.boundingRect(differs)
    if not _is_large(width, height, least) or cv2.countNonZero(differs) < LIMITS.bounds_area * width * height:
        return None
    parts = connected_components(differs)
    index = int(parts.stats[:, 4].argmax())
    _, _, width, height, area = parts.stats[index].tolist()
    if not _is_large(width, height, least) or area < LIMITS.bounds_area * width * height:
        return None
    surface = parts.mask_of_one(index)
    if cv2.countNonZero(cv2.bitwise_and(surface, strokes)) > LIMITS.inked * area:
        return None
    return _rim_of_surface(surface, surface)


def _rim_by_level(image: Grey, least: float) -> Rim | None:
    """Return the rim of a surface that differs from the border of the image by some number of levels.

    Ink is not reliable where a surface covers much of the image, because paper is looked for everywhere.
    """
    ground = quantile(cumulative(border_pixels(image)), 0.5)
    difference = cv2.absdiff(image, np.full_like(image, ground))
    for share in LIMITS.levels:
        differs = mask_above(difference, share * lightest_of(difference))
        parts = connected_components(differs)
        if not len(parts.stats):
            continue
        index = int(parts.stats[:, 4].argmax())
        _, _, width, height, area = parts.stats[index].tolist()
        if min(width, height) >= least and area >= LIMITS.carved_bounds_area * width * height:
            rim = _rim_of_surface(parts.mask_of_one(index), differs)
            if rim is not None:
                return rim
    return None


def _rim_of_surface(ink: Mask, strokes: Mask) -> Rim | None:
    """Return the rim of ink if it is full and the ink could carry a digit, otherwise None."""
    rim = _full_rim(ink)
    return rim if rim is not None and _carries(ink, strokes, rim) else None


def _rim_of_badge(ink: Mask, strokes: Mask) -> Rim | None:
    """Return the rim of the body of a badge, without its points, if it could carry a digit, otherwise None."""
    if _is_cut_off(ink) or _full_rim(ink) is not None:
        return None
    for body in bodies(ink):
        rim = _full_rim(body)
        if rim is None:
            continue
        may_be_loop = rim.asymmetry() > LIMITS.badge_asymmetry
        if _carries(body, strokes, rim, for_certain=may_be_loop):
            return rim
    return None


def _full_rim(ink: Mask) -> Rim | None:
    """Return the rim of ink, or None where too few of its rays meet the ink near it."""
    rim = Rim.of(ink)
    return rim if rim is not None and rim.covered(LIMITS.start) >= LIMITS.coverage else None


def _carries(ink: Mask, strokes: Mask, rim: Rim, *, for_certain: bool = False) -> bool:
    """Return whether ink with a full rim could carry a digit: it is solid, or a digit is cut out of it.

    Args:
        ink: Mask of the ink, (height, width).
        strokes: Mask of all strokes, (height, width).
        rim: Rim of the ink.
        for_certain: Whether only a hole with the shape of a digit counts.
    """
    short, long = rim.bounds()
    hull_share = cv2.countNonZero(ink) / cv2.contourArea(rim.hull)
    is_long = short < LIMITS.shape * long
    if hull_share < LIMITS.carved_hull_area or (is_long and not _is_long_tile(rim)):
        return False
    _, _, width, height = cv2.boundingRect(ink)
    is_symmetric = rim.asymmetry() <= LIMITS.asymmetry
    hull_area = LIMITS.symmetric_hull_area if is_symmetric else LIMITS.hull_area
    area = cv2.countNonZero(cv2.bitwise_and(strokes, cv2.fillConvexPoly(np.zeros_like(ink), rim.hull, 255)))
    is_full = area >= hull_area * cv2.contourArea(rim.hull) and area >= LIMITS.bounds_area * width * height
    is_solid = is_full and not _is_cut_off(ink)
    if not is_solid and not is_symmetric:
        return False
    holes = _holes(ink, rim)
    if _are_carved(holes, strokes, rim):
        return True
    if is_long:
        return is_solid and len(holes) > 1 and any(_convexity(hole) < LIMITS.convex for hole in holes)
    return is_solid and not for_certain and _may_be_digit(holes, strokes, hull_share, rim)


def _is_long_tile(rim: Rim) -> bool:
    """Return whether a rim is that of a tile on which there is room for several digits."""
    short, long = rim.bounds()
    return short >= LIMITS.long_tile * long and has_corners(rim.hull)


def _is_cut_off(ink: Mask) -> bool:
    """Return whether a side of the image cuts ink off."""
    _, _, width, height = cv2.boundingRect(ink)
    sides = ((ink[0], width), (ink[-1], width), (ink[:, 0], height), (ink[:, -1], height))
    return any(np.count_nonzero(side) > LIMITS.cut * length for side, length in sides)


def _holes(ink: Mask, rim: Rim) -> list[Mask]:
    """Return the masks of the holes in ink that are not noise, the largest first."""
    parts = connected_components(cv2.subtract(_face(ink.shape, rim, LIMITS.inset), ink))
    large = np.flatnonzero(parts.stats[:, 4] >= LIMITS.hole * cv2.contourArea(rim.hull)).tolist()
    return [parts.mask_of_one(index) for index in sorted(large, key=lambda index: -parts.stats[index, 4])]


def _are_carved(holes: list[Mask], strokes: Mask, rim: Rim) -> bool:
    """Return whether holes in ink have the shape of a digit, which they never have in a zero.

    Args:
        holes: The holes, the largest first.
        strokes: Mask of all strokes, so of what is in the holes as well.
        rim: Rim of the ink.
    """
    if not 1 <= len(holes) <= LIMITS.max_holes:
        return False
    hole = holes[0]
    if len(holes) > 1 and cv2.countNonZero(holes[1]) > LIMITS.loose * cv2.countNonZero(hole):
        return False  # two halves, as beside the slash of a zero
    convexity = _convexity(without_holes(hole))
    loops = _loops(hole, strokes, rim)
    if len(loops) != 1:
        return bool(loops) or convexity < LIMITS.carved_convex
    return convexity < LIMITS.looped_convex or _off_centre(loops[0], rim) > LIMITS.loop_off_centre


def _loops(hole: Mask, strokes: Mask, rim: Rim) -> list[Mask]:
    """Return the masks of the islands of ink in a hole that are not noise."""
    parts = connected_components(cv2.bitwise_and(without_holes(hole), strokes))
    large = np.flatnonzero(parts.stats[:, 4] >= LIMITS.loop * cv2.contourArea(rim.hull)).tolist()
    return [parts.mask_of_one(index) for index in large]


def _may_be_digit(holes: list[Mask], strokes: Mask, hull_share: float, rim: Rim) -> bool:
    """Return whether holes in solid ink may be a digit. Ink without holes may carry one of another grey.

    Args:
        holes: The holes, the largest first.
        strokes: Mask of all strokes.
        hull_share: Area of the ink, as a share of its hull's.
        rim: Rim of the ink.
    """
    if not 1 <= len(holes) <= LIMITS.max_holes:
        return True
    if len(holes) > 1:  # in the loops of an eight, and beside the slash of a zero, paper is convex
        least = LIMITS.beside_slash if _are_beside_slash(holes, rim) else LIMITS.convex
        return _are_level(*holes) or any(_convexity(hole) < least for hole in holes)
    [hole] = holes
    _, _, width, height = cv2.boundingRect(hole)
    _, _, columns, rows = cv2.boundingRect(rim.hull)
    if max(width, height) < LIMITS.hole_length * min(rows, columns):
        return False
    if _convexity(hole) < LIMITS.convex or (hull_share >= LIMITS.zero_hull_area and has_corners(rim.hull)):
        return True
    if columns >= LIMITS.round * rows and _loops(hole, strokes, rim):
        return True
    return not _is_zero(columns, rows, columns - width, rows - height)


def _off_centre(mask: Mask, rim: Rim) -> float:
    """Return how far the middle of a mask is from the middle of a rim, as a share of the radius."""
    moments, ring = cv2.moments(mask, binaryImage=True), cv2.moments(rim.hull)
    across, down = (moments[axis] / moments["m00"] - ring[axis] / ring["m00"] for axis in ("m10", "m01"))
    return math.hypot(across, down) / float(rim.radius.mean())


def _are_beside_slash(holes: list[Mask], rim: Rim) -> bool:
    """Return whether two holes are of one size and around the middle of a rim, as those beside the slash of a zero."""
    first, second = (cv2.countNonZero(hole) for hole in holes)
    if min(first, second) < LIMITS.alike * max(first, second):
        return False
    return _off_centre(cv2.bitwise_or(*holes), rim) <= LIMITS.centred


def _are_level(first: Mask, second: Mask) -> bool:
    """Return whether two holes are beside each other and about as high, as two digits on one surface are."""
    bounds = np.array([cv2.boundingRect(mask) for mask in (first, second)])
    starts, lengths = bounds[:, :2], bounds[:, 2:]
    shared = (starts + lengths).min(axis=0) - starts.max(axis=0)
    across, down = shared.tolist()
    width, height = lengths[:, 0].min(), lengths[:, 1].max()
    return bool(down >= LIMITS.level * height and across <= LIMITS.overlap * width)


def _convexity(mask: Mask) -> float:
    """Return the area of a mask as a share of its hull's, 0 to 1."""
    points = cv2.findNonZero(mask)
    return len(points) / cv2.countNonZero(cv2.fillConvexPoly(np.zeros_like(mask), cv2.convexHull(points), 255))


def _is_zero(columns: int, rows: int, beside: int, above: int) -> bool:
    """Return whether a convex hole is that of a zero.

    Args:
        columns: Width of the shape in pixels.
        rows: Height of the shape.
        beside: Part of the width that is not hole.
        above: Part of the height that is not hole.
    """
    is_narrow = columns <= LIMITS.upright * rows
    return LIMITS.least_beside * above <= beside and (is_narrow or beside <= LIMITS.beside * above)
