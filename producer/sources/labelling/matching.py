"""Find the image that a label file means, although people and programs write names in many ways.

Rules are tried one after the other, from the strictest to the loosest. A rule decides only where it finds exactly one
image. A name that fits several images, or that contradicts the only similar one, is a clash, which nobody should guess.
"""

import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from producer.sources.naming import IMAGE_SUFFIXES, document_of, suffix_of

_QUOTES = "'\"`\u2018\u2019\u201c\u201d\u00ab\u00bb"
_FOREIGN = ("cp1252", "cp437", "cp850", "mac_roman")  # of tables that Excel and old programs write
_NUMBER = re.compile(r"\d+")


@dataclass(slots=True)
class Matching:
    """What the names in a label file mean.

    Attributes:
        images: Name of the image for each name in the label file that means one.
        rules: Number of these names by the rule that found the image.
        clashes: Images that each of the other names may mean, if there are any.
    """

    images: dict[str, str] = field(default_factory=dict)
    rules: Counter[str] = field(default_factory=Counter)
    clashes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def match(written: Mapping[str, object], names: Collection[str], root: str) -> Matching:
    """Find the images that the names in a label file mean.

    Args:
        written: Label of each name in the label file. Names with one label may mean one image.
        names: Names of all images.
        root: Text before a name that makes it a path; see `Source.root`.
    """
    found = Matching()
    there = set(names)
    _take(found, "as written", {name: (name,) for name in written if name in there})
    for rule, candidates in (
        ("by another way to write the path", _spelled),
        ("in another case", _in_another_case),
    ):
        left = [name for name in written if name not in found.images]
        if left:
            _take(found, rule, candidates(left, names, root))
    # A looser rule may only give an image to a name if no better name has it.
    for rule, key, ends in (
        ("by the end of the path", _base, True),
        ("without the extension", _stem, True),
        ("without leading zeros", _unpadded, True),
        ("", _stem, False),  # which leaves only clashes
    ):
        taken = set(found.images.values())
        left = [name for name in written if name not in found.images]
        free = [name for name in names if name not in taken]
        if left and free:
            candidates_of = _by_key(left, free, key, root, ends=ends)
            _take(found, rule, _without_contested(candidates_of, written) if rule else {}, candidates_of)
    return found


def _take(
    found: Matching,
    rule: str,
    decided: Mapping[str, tuple[str, ...]],
    all_candidates: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Keep what a rule has found: a match where there is one candidate, and otherwise a clash."""
    for name, candidates in decided.items():
        if len(candidates) == 1:
            found.images[name] = candidates[0]
            found.rules[rule] += 1
            found.clashes.pop(name, None)
    for name, candidates in (decided if all_candidates is None else all_candidates).items():
        if candidates and name not in found.images:
            found.clashes.setdefault(name, candidates)


def _without_contested(
    candidates: Mapping[str, tuple[str, ...]], labels: Mapping[str, object]
) -> dict[str, tuple[str, ...]]:
    """Return the candidates without those that names with different labels want."""
    wanted: dict[str, set[object]] = {}
    for name, images in candidates.items():
        if len(images) == 1:
            wanted.setdefault(images[0], set()).add(labels[name])
    return {name: images for name, images in candidates.items() if len(images) == 1 and len(wanted[images[0]]) == 1}


def _spelled(left: Iterable[str], names: Collection[str], root: str) -> dict[str, tuple[str, ...]]:
    alike = {_canonical(_as_utf8(name)): name for name in names}
    alike |= {_canonical(name): name for name in names}
    found: dict[str, tuple[str, ...]] = {}
    for name in left:
        for spelling in _spellings(name, root):
            if spelling in alike:
                found[name] = (alike[spelling],)
                break
    return found


def _in_another_case(left: Iterable[str], names: Collection[str], root: str) -> dict[str, tuple[str, ...]]:
    folded = _grouped(names, lambda name: _folded(_canonical(name)))
    found: dict[str, tuple[str, ...]] = {}
    for name in left:
        for spelling in _spellings(name, root):
            if _folded(spelling) in folded:
                found[name] = tuple(folded[_folded(spelling)])
                break
    return found


def _by_key(
    left: Iterable[str], names: Iterable[str], key: Callable[[str], str], root: str, *, ends: bool
) -> dict[str, tuple[str, ...]]:
    """Return the images with the same key of the last part of their paths.

    Args:
        left: Names in the label file.
        names: Names of images.
        key: Key of the last part of a path, in lower case.
        root: See `match`.
        ends: Whether one path must also be the end of the other.
    """
    grouped = _grouped(names, lambda name: key(_folded(_canonical(name)).rpartition("/")[2]))
    found: dict[str, tuple[str, ...]] = {}
    for name in left:
        for spelling in _spellings(name, root):
            folders, _, last = _folded(spelling).rpartition("/")
            same = grouped.get(key(last), [])
            images = [each for each in same if not ends or _is_end(folders, _folders(each))]
            if images:
                found[name] = tuple(images)
                break
    return found


def _grouped(names: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return groups


def _is_end(one: str, other: str) -> bool:
    """Return whether one path of folders is the end of the other. Both have `/` between their parts."""
    short, long = sorted((one.strip("/"), other.strip("/")), key=len)
    return not short or f"/{long}".endswith(f"/{short}")


def _folders(name: str) -> str:
    return _folded(_canonical(name)).rpartition("/")[0]


def _base(last: str) -> str:
    return last


def _stem(last: str) -> str:
    last = document_of(last)
    suffix = suffix_of(last)
    return last.removesuffix(suffix) if suffix in IMAGE_SUFFIXES else last


def _unpadded(last: str) -> str:
    """Return a stem with its numbers as Excel leaves them."""
    return _NUMBER.sub(lambda number: number[0].lstrip("0") or "0", _stem(last))


def _spellings(written: str, root: str) -> list[str]:
    """Return the canonical forms of a name in a label file, the most likely first."""
    plain = written.strip()
    unquoted = plain.strip(_QUOTES).strip()
    forms = [plain, unquoted, unquote(unquoted)]  # web tools write %20 for a space
    if any("\udc80" <= character <= "\udcff" for character in plain):
        raw = plain.encode("utf-8", "surrogateescape")
        forms += [raw.decode(encoding, "replace") for encoding in _FOREIGN]
    return list(dict.fromkeys(_canonical(each.removeprefix(root)) for each in forms))


def _folded(name: str) -> str:
    """Return a name as systems compare it that do not distinguish upper and lower case, with plain spaces."""
    return unicodedata.normalize("NFC", " ".join(name.casefold().split()))


def _canonical(name: str) -> str:
    escaped = name.encode("utf-8", "backslashreplace").decode()
    return unicodedata.normalize("NFC", posixpath.normpath(escaped.replace("\\", "/")))


def _as_utf8(name: str) -> str:
    """Return a name as a label file has it, if the locale decodes the bytes of file names otherwise."""
    try:
        return os.fsencode(name).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # the name comes from an archive
        return name
