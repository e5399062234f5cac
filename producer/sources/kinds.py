"""Kinds of files: which are images, which get an error row although they are not, and which are left out and counted.

A file whose name is that of an image is one, whatever its content is, because a worker will judge that. For any other
file its first bytes decide, and then its name. A file that may show a digit is never left out: it is an image, or it
gets an error row that says what to do.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from model.errors import Failure
from model.images.decoding.formats import (
    ARCHIVE,
    EDITOR,
    MARKUP,
    OFFICE,
    PDF,
    PICTURE,
    RAW,
    VECTOR,
    VIDEO,
    format_of,
    not_an_image,
    other_format,
)
from producer.sources.naming import IMAGE_SUFFIXES, clutter_kind, is_clutter, suffix_of

Start: TypeAlias = Callable[[], bytes | Failure]
"""A function that returns the first `formats.START_BYTES` bytes of a file, or the failure to read them."""

IMAGE = "image"
"""Kind of a file that is sent to the workers."""

TIFF = "TIFF"
"""Kind of such a file that is a TIFF by its name or content, so that it may have several pages."""

_TIFF_SUFFIXES = frozenset({".tif", ".tiff"})

# Files that may show digits, and that digitmill does not read.
_OTHERS = {
    PDF: ".pdf",
    VECTOR: ".svg .svgz .eps .ps .ai .emf .wmf .cdr .dxf",
    OFFICE: ".doc .docx .odt .rtf .pages .ppt .pptx .odp .key .odg .one .xps .oxps",
    EDITOR: ".psd .psb .xcf .kra .ora .afphoto .clip .procreate .sketch .fig .pxd",
    RAW: ".dng .nef .nrw .cr2 .cr3 .crw .arw .srf .sr2 .orf .rw2 .raf .pef .srw .3fr .iiq .mrw .x3f .raw .rwl .kdc",
    PICTURE: ".jp2 .j2k .jpf .jpx .jxl .jxr .ico .icns .cur .pcx .tga .ppm .pgm .pbm .pnm .pam .exr .hdr .dds .djvu "
    ".djv .xbm .xpm .sgi .ras .qoi .fits .dcm .mng .jng .bpg .flif .wdp .pict .pct",
}
_OTHER_SUFFIXES = {suffix: found for found, suffixes in _OTHERS.items() for suffix in suffixes.split()}

# Files that hold no picture of a digit, or many pictures.
_COUNTED = {
    "text file": ".txt .md .rst .log .tex .nfo .readme",
    "table": ".csv .tsv .xls .xlsx .ods .feather .numbers",
    "data file": ".json .jsonl .xml .yaml .yml .toml .ini .cfg .conf .db .sqlite .pickle .pkl .mat .h5 .hdf5 .bin",
    "web page": ".htm .html .mhtml .url .webloc",
    "archive": ".zip .tar .gz .tgz .bz2 .tbz2 .xz .txz .zst .tzst .7z .rar",
    "array file": ".npy .npz .parquet .pq .idx .idx3 .idx1 -ubyte",
    "program": ".py .pyc .ipynb .sh .bat .ps1 .js .css .c .cpp .h .hpp .java .m .r .rb .go .rs .exe .dll .so .jar",
    "video": ".mp4 .mov .avi .mkv .webm .m4v .mpg .mpeg .wmv .3gp .mts",
    "sound": ".mp3 .wav .m4a .ogg .flac .aac .wma",
    "font": ".ttf .otf .woff .woff2",
    "e-mail": ".eml .msg .mbox",
    "picture settings file": ".aae .xmp .thm .lrcat .pp3",
    "link file": ".lnk",
}
_COUNTED_SUFFIXES = {suffix: kind for kind, suffixes in _COUNTED.items() for suffix in suffixes.split()}

_KINDS_BY_FORMAT = {ARCHIVE: "archive", VIDEO: "video", MARKUP: "web page"}
_IDX_STARTS = (b"\0\0\x08\1", b"\0\0\x08\3")
_BY_ITSELF = ("archive", "array file")
_TEXT_BYTES = frozenset({*b"\t\n\f\r\x1b", *range(32, 256)})


def kind_by_name(name: str) -> str | None:
    """Return `IMAGE`, `TIFF` or the kind of clutter that a file is by its name, or None if its content must tell.

    Args:
        name: Name of the file, without its folders.
    """
    if is_clutter(name):
        return clutter_kind(name)
    suffix = suffix_of(name)
    if suffix in IMAGE_SUFFIXES:
        return TIFF if suffix in _TIFF_SUFFIXES else IMAGE
    return None


def kind_by_content(name: str, start: Start) -> str | Failure:
    """Return what to do with a file whose name is not that of an image.

    Args:
        name: Name of the file, without its folders.
        start: Reader of its first bytes.

    Returns:
        `IMAGE`, `TIFF`, the failure that the file's row says, or its kind if it is left out.
    """
    suffix, first = suffix_of(name), start()
    counted = _COUNTED_SUFFIXES.get(suffix) or _COUNTED_SUFFIXES.get(name[-6:].lower())
    found = _OTHER_SUFFIXES.get(suffix)
    if isinstance(first, Failure):
        return counted or (not_an_image(found).failure if found else first)
    kind = format_of(first)
    if kind and not (kind == "TIFF" and found is RAW):  # most RAW files begin like a TIFF
        return TIFF if kind == "TIFF" else IMAGE
    if found is None and counted is None:
        found = other_format(first)
        counted = _KINDS_BY_FORMAT.get(found)
    if found and found.may_show_digits:
        return not_an_image(found).failure
    return counted or _kind_by_content(first, suffix)


def describe_left_out(left_out: Mapping[str, int]) -> str:
    """Return the line that says which files are left out, or "" if none are.

    Args:
        left_out: Number of files by kind.
    """
    if not left_out:
        return ""
    counts = sorted(left_out.items(), key=lambda item: (-item[1], item[0]))
    line = "left out: " + ", ".join(f"{count:,} {_plural(kind) if count > 1 else kind}" for kind, count in counts)
    return line + ". Submit archives and array files by themselves." * any(kind in left_out for kind in _BY_ITSELF)


def _kind_by_content(first: bytes, suffix: str) -> str:
    if not first:
        return "empty file"
    if first.startswith(_IDX_STARTS):
        return "array file"
    if suffix and len(suffix) <= 12 and suffix.isascii() and suffix[1:].isalnum():
        return f"{suffix} file"
    return "text file" if _TEXT_BYTES.issuperset(first) else "other file"


def _plural(kind: str) -> str:
    return f"{kind} files" if "." in kind and " " not in kind else f"{kind}s"
