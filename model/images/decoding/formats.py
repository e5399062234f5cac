"""Tell the format of a file from its first bytes. The allow-list of formats is here, and errors that modules share.

The client uses this module too, for files whose names do not tell what they are. So it loads no decoder.
"""

import struct
from typing import NamedTuple

from model.errors import FailureCode, ImageError
from model.images.limits import MAX_BYTES

START_BYTES = 512
"""Number of first bytes that suffice to tell the format of any file."""

_FORMATS = "PNG, JPEG, BMP, GIF, TIFF, WebP, AVIF or HEIC"

_SIGNATURES: dict[str, tuple[bytes, ...]] = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "TIFF": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
}
_CR2_MARK = b"CR\x02\0"  # of a camera's RAW file that otherwise begins like a TIFF
_DIB_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})  # they tell a BMP from a text that begins with "BM"

# Brands of ISO base media files (ISO/IEC 14496-12, 23008-12): still pictures, and sequences of them.
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
)


class OtherFormat(NamedTuple):
    """A format that digitmill does not read.

    Attributes:
        what: What such a file is, with its article.
        remedy: What the user can do, as a sentence without its full stop.
        may_show_digits: Whether such a file may show a digit, so that it must not be left out of a job in silence.
    """

    what: str
    remedy: str
    may_show_digits: bool = True


PDF = OtherFormat("a PDF document", "Export its pages as PNG or TIFF")
VECTOR = OtherFormat("a vector drawing, such as SVG", "Export it as PNG")
OFFICE = OtherFormat("an Office document", "Save the pictures in it as PNG")
EDITOR = OtherFormat("a document of an image editor", "Export it as PNG")
RAW = OtherFormat("a camera's RAW file", "Develop it, and save it as JPEG")
PICTURE = OtherFormat("an image in a format that is not read here", "Convert it to PNG")
ARCHIVE = OtherFormat("an archive", "Submit it by itself, or unpack it", may_show_digits=False)
VIDEO = OtherFormat("a video", "Leave it out, or save the frame as PNG", may_show_digits=False)
MARKUP = OtherFormat("markup, such as HTML", "Leave it out, or export it as PNG", may_show_digits=False)
UNKNOWN = OtherFormat("another kind of file", "Leave it out, or convert it to PNG", may_show_digits=False)

# By position and signature. The first one that fits counts.
_OTHERS = (
    (0, b"%PDF-", PDF),
    (0, b"%!PS", VECTOR),
    (0, b"<svg", VECTOR),
    (0, b"8BPS", EDITOR),
    (0, b"gimp xcf", EDITOR),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OFFICE),
    (0, b"{\\rtf", OFFICE),
    (30, b"[Content_Types].xml", OFFICE),
    (30, b"mimetype", OFFICE),
    (8, _CR2_MARK, RAW),
    (0, b"IIRO", RAW),
    (0, b"IIRS", RAW),
    (0, b"IIU\0", RAW),
    (0, b"FUJIFILMCCD-RAW", RAW),
    (4, b"ftypcrx ", RAW),
    (0, b"\0\0\0\x0cJXL ", PICTURE),
    (0, b"\xff\x0a", PICTURE),
    (0, b"\0\0\0\x0cjP  ", PICTURE),
    (0, b"\xff\x4f\xff\x51", PICTURE),
    (0, b"\0\0\1\0", PICTURE),
    (0, b"AT&TFORM", PICTURE),
    (0, b"DDS ", PICTURE),
    (0, b"qoif", PICTURE),
    *((0, b"P%d%c" % (number, space), PICTURE) for number in range(1, 7) for space in b"\n\r "),
    (4, b"ftyp", VIDEO),
    (0, b"\x1aE\xdf\xa3", VIDEO),
    (8, b"AVI ", VIDEO),
    (0, b"PK\x03\x04", ARCHIVE),
    (0, b"\x1f\x8b", ARCHIVE),
    (0, b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (0, b"Rar!", ARCHIVE),
    (0, b"BZh", ARCHIVE),
    (0, b"\xfd7zXZ\0", ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", ARCHIVE),
    (257, b"ustar", ARCHIVE),
    (0, b"<", MARKUP),
)


def identify(data: bytes) -> str:
    """Return Pillow's name of the format. The first bytes decide, because a file's name proves nothing.

    Raises:
        ImageError: The file is empty (EMPTY), has too many bytes (TOO_LARGE), or is in another format (NOT_AN_IMAGE).
    """
    if not data:
        raise ImageError(FailureCode.EMPTY, "The file is empty. Save it or copy it again.")
    if len(data) > MAX_BYTES:
        raise too_large(f"The file has {len(data) / 2**20:.1f} MiB; the limit is {MAX_BYTES // 2**20} MiB")
    kind = format_of(data[:START_BYTES])
    if kind is None:
        raise not_an_image(other_format(data[:START_BYTES]))
    return kind


def format_of(start: bytes) -> str | None:
    """Return Pillow's name of the format of a file on the allow-list, or None for another file.

    Args:
        start: First bytes of the file, at least `START_BYTES` if it has that many.
    """
    for kind, signatures in _SIGNATURES.items():
        if start.startswith(signatures):
            return None if kind == "TIFF" and start[8:12] == _CR2_MARK else kind
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return "WEBP"
    if start.startswith(b"BM") and int.from_bytes(start[14:18], "little") in _DIB_HEADER_SIZES:
        return "BMP"
    brands = _brands(start)
    if brands & _AVIF_BRANDS:
        return "AVIF"
    return "HEIF" if brands & _HEIF_BRANDS else None


def other_format(start: bytes) -> OtherFormat:
    """Return what a file is that is not on the allow-list. See `format_of` for the argument."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"<?xml", b"<!")) and b"<svg" in text:
        return VECTOR
    for at, signature, found in _OTHERS:
        if (start if at else text).startswith(signature, at) or start.startswith(signature, at):
            return found
    return UNKNOWN


def not_an_image(found: OtherFormat) -> ImageError:
    """Return the error of a file in a format that is not on the allow-list."""
    return ImageError(FailureCode.NOT_AN_IMAGE, f"This is not a {_FORMATS} image but {found.what}. {found.remedy}.")


def _brands(start: bytes) -> set[bytes]:
    """Return the brands of an ISO base media file: the major one, and those with which it is compatible."""
    if start[4:8] != b"ftyp":
        return set()
    (size,) = struct.unpack_from(">I", start)
    return {start[8:12], *(start[at : at + 4] for at in range(16, min(size, len(start) - 3), 4))}


def too_large(fault: str) -> ImageError:
    """Return the error of an image with more bytes or pixels than digitmill decodes."""
    return ImageError(FailureCode.TOO_LARGE, f"{fault}. Crop it to the digit, or scale it down.")


def too_costly(fault: str) -> ImageError:
    """Return the error of an image that exceeds its budget of time or memory."""
    return ImageError(
        FailureCode.TOO_COSTLY, f"{fault}. Open it in an image editor, and save it as a plain PNG or JPEG."
    )


def own_failure(error: Exception) -> ImageError:
    """Return the error of an image on which digitmill itself failed, because it has a bug."""
    return ImageError(
        FailureCode.INTERNAL,
        f"digitmill itself failed on this image ({type(error).__name__}). Report this, with the image.",
    )
