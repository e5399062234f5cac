"""Read the body of a request: one image, or a form with several. Nothing beyond the limits is ever in memory."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, NamedTuple, TypeAlias

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from model.errors import Failure
from model.images.limits import MAX_BYTES
from producer.http.errors import Disconnected, HttpError
from producer.http.limits import MAX_BODY_BYTES, MAX_PARTS, Share, too_large
from producer.sources.reading import TOO_LARGE

MAX_PART_HEADERS, MAX_PART_HEADER_BYTES = 8, 2048
"""Maximum number of headers of a part, and maximum size of each, in bytes."""

MAX_NAME = 255
"""Maximum number of characters of an image's name that the answer repeats."""

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]


class NamedImage(NamedTuple):
    """One image of a form.

    Attributes:
        name: Name of its file, or else of its field.
        content: The image file, or why it is left out.
    """

    name: str
    content: bytes | Failure


class BodyKind(NamedTuple):
    """What a body holds.

    Attributes:
        length: Its declared size in bytes, or None.
        boundary: Boundary between the parts of a form, or None if the body is one image.
    """

    length: int | None
    boundary: bytes | None


def kind_of(headers: Headers) -> BodyKind:
    """Return what the body of a request holds, by its headers.

    Raises:
        HttpError: Its type is not that of an image or a form, or it is compressed.
    """
    content_type, length = b"", None
    for name, value in headers:
        if name == b"content-type":
            content_type = value
        elif name == b"content-length":
            length = int(value)
        elif name == b"content-encoding" and value.strip().lower() not in (b"", b"identity"):
            raise HttpError(
                415,
                "compressed",
                "The body is compressed. Send the image file as it is.",
                headers={"Accept-Encoding": "identity"},
            )
    kind = content_type.partition(b";")[0].strip().lower()
    if kind.startswith(b"image/"):
        return BodyKind(length, None)
    if kind != b"multipart/form-data":
        raise HttpError(
            415,
            "not_an_image_type",
            "The Content-Type must be image/png or that of another image, or multipart/form-data for several images. "
            "With curl, add -H 'Content-Type: image/png', or use -F image=@FILE.",
            headers={"Accept": "image/*, multipart/form-data"},
        )
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise _bad_form("its Content-Type has no boundary")
    return BodyKind(length, boundary)


async def read_image(receive: Receive, length: int | None, share: Share) -> bytes:
    """Return a body that is one image.

    Args:
        receive: Function of ASGI that returns the next piece of the body.
        length: Declared size of the body in bytes, or None.
        share: What the request holds of the limits.

    Raises:
        Disconnected: The client has ended the connection.
        HttpError: The image is too large, or too many images wait.
    """
    _check_size(length or 0, MAX_BYTES)
    share.add(images=1)
    piece, more = await _next_piece(receive, 0, MAX_BYTES, share)
    if not more:
        return piece
    content = bytearray(piece)  # and not a list, because each of many small pieces would take more memory than it holds
    while more:
        piece, more = await _next_piece(receive, len(content), MAX_BYTES, share)
        content += piece
    return bytes(content)


async def read_form(receive: Receive, kind: BodyKind, share: Share) -> list[NamedImage]:
    """Return the images of a form, in their order. One that is too large is replaced by a failure.

    Args:
        receive: Function of ASGI that returns the next piece of the body.
        kind: What the body holds.
        share: What the request holds of the limits.

    Raises:
        Disconnected: The client has ended the connection.
        HttpError: The body is not a form, it or the number of its parts is too large, or too many images wait.
    """
    _check_size(kind.length or 0, MAX_BODY_BYTES)
    try:
        form, size, more = _Form(kind.boundary or b"", share), 0, True
        while more:
            piece, more = await _next_piece(receive, size, MAX_BODY_BYTES, share)
            size += len(piece)
            form.parser.write(piece)
    except FormParserError as fault:
        raise _bad_form(str(fault)) from None
    if not form.ended:
        raise _bad_form("it ends before its last boundary")
    if not form.images:
        raise _bad_form("it has no parts")
    return form.images


async def _next_piece(receive: Receive, size: int, limit: int, share: Share) -> tuple[bytes, bool]:
    """Return the next piece of a body, and whether more may follow.

    Args:
        receive: Function of ASGI that returns it.
        size: Size of what came before, in bytes.
        limit: Maximum size of the body, in bytes.
        share: What the request holds of the limits.
    """
    message = await receive()
    if message["type"] != "http.request":
        raise Disconnected
    piece: bytes = message.get("body", b"")
    _check_size(size + len(piece), limit)
    share.add(size=len(piece))
    return piece, message.get("more_body", False)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise too_large(limit)


class _Form:
    """Collects the parts of a form as the parser finds them."""

    def __init__(self, boundary: bytes, share: Share) -> None:
        self.images: list[NamedImage] = []
        self.ended = False
        self._share = share
        self._name = ""
        self._content = bytearray()
        self._size = 0
        self._header: list[bytes] = [b"", b""]
        self.parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._add_to_header(0, data[start:end]),
                "on_header_value": lambda data, start, end: self._add_to_header(1, data[start:end]),
                "on_header_end": self._end_header,
                "on_part_data": lambda data, start, end: self._add(data[start:end]),
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )

    def _begin(self) -> None:
        if len(self.images) >= MAX_PARTS:
            raise HttpError(
                413, "too_many_images", f"The form has more than {MAX_PARTS:,} parts. Send several requests."
            )
        self._share.add(images=1)
        self._name, self._content, self._size = "", bytearray(), 0

    def _add_to_header(self, which: int, piece: bytes) -> None:
        self._header[which] += piece

    def _end_header(self) -> None:
        field, value = self._header
        self._header = [b"", b""]
        if field.strip().lower() == b"content-disposition":
            options = parse_options_header(value)[1]
            self._name = (options.get(b"filename") or options.get(b"name") or b"").decode(errors="replace")[:MAX_NAME]

    def _add(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= MAX_BYTES:
            self._content += piece
        else:
            self._content.clear()

    def _end_part(self) -> None:
        content = bytes(self._content) if self._size <= MAX_BYTES else TOO_LARGE
        self._content.clear()
        self.images.append(NamedImage(self._name, content))

    def _end(self) -> None:
        self.ended = True


def _bad_form(reason: str) -> HttpError:
    return HttpError(400, "bad_form", f"The body is not a valid form of the type multipart/form-data: {reason}.")
