"""Tell the format of a file from its first bytes. The allow-list of formats is here, and errors that modules share."""

from model.errors import FailureCode, ImageError
from model.images.limits import MAX_BYTES

_FORMATS = "PNG, JPEG, BMP, GIF, TIFF or WebP"

# Other files that users sometimes submit: position of the signature, signature, what the file is, and the remedy.
_OTHERS = (
    (4, b"ftypheic", "a HEIC photograph", "Convert it to JPEG"),
    (4, b"ftypheix", "a HEIC photograph", "Convert it to JPEG"),
    (4, b"ftypmif1", "a HEIF photograph", "Convert it to JPEG"),
    (4, b"ftypavif", "an AVIF image", "Convert it to PNG"),
    (0, b"%PDF-", "a PDF document", "Export the page as PNG"),
    (0, b"PK\x03\x04", "a ZIP archive", "Name it .zip, or unpack it"),
    (0, b"\x1f\x8b", "a gzip archive", "Name it .tar.gz, or unpack it"),
    (0, b"<", "markup, such as HTML or SVG", "Leave it out, or export it as PNG"),
    (0, b"", "another kind of file", "Leave it out, or convert it to PNG"),
)

_DIB_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})  # they tell a BMP from a text that begins with "BM"


def identify(data: bytes) -> str:
    """Return Pillow's name of the format. The first bytes decide, because a file's name proves nothing.

    Raises:
        ImageError: The file is empty (EMPTY), has too many bytes (TOO_LARGE), or is in another format (NOT_AN_IMAGE).
    """
    if not data:
        raise ImageError(FailureCode.EMPTY, "The file is empty. Save it or copy it again.")
    if len(data) > MAX_BYTES:
        raise too_large(f"The file has {len(data) / 2**20:.1f} MiB; the limit is {MAX_BYTES // 2**20} MiB")
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "TIFF"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _DIB_HEADER_SIZES:
        return "BMP"
    what, remedy = next((what, remedy) for at, signature, what, remedy in _OTHERS if data.startswith(signature, at))
    raise ImageError(FailureCode.NOT_AN_IMAGE, f"This is not a {_FORMATS} image but {what}. {remedy}.")


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
