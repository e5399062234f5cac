"""Pages of documents: a container in which each page of a TIFF is an image of its own.

A page travels as a file of one page, so neither the workers nor the wire format know of documents, and each page has
the limits of an image. The client copies a page without decoding it.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import BinaryIO, Generic, NamedTuple, TypeAlias, cast

from model.errors import Failure, ImageError
from model.images.decoding.tiff import Read, copy_page, list_pages
from producer.sources.listing import FileContainer, FileReader, Listing, Place
from producer.sources.naming import page_name
from producer.sources.reading import unreadable


class Page(NamedTuple, Generic[Place]):
    """A page of a document.

    Attributes:
        document: Place of the document in its container.
        directory: Place of the page's directory in the document.
    """

    document: Place
    directory: int


PagePlace: TypeAlias = Place | Page[Place]
"""Place of a whole file, or a page."""


class Pages(Generic[Place]):
    """The files of a container, with each page of a document in place of the document; see `listing.Container`.

    A document of one page keeps its name. If a document is damaged, or has more pages than are read, its last row is a
    failure that says so.

    Attributes:
        files: Container of the files.
    """

    def __init__(self, container: FileContainer[Place]) -> None:
        self.files = container
        self.listing: Listing[PagePlace[Place]] = _with_pages(container)

    @contextmanager
    def opened(self) -> Iterator[Callable[[PagePlace[Place]], bytes | Failure]]:
        """Open the container, and yield a reader of files and pages."""
        with self.files.opened() as read:
            if not self.files.listing.tiffs:
                yield cast("Callable[[PagePlace[Place]], bytes | Failure]", read)  # there are no pages
                return
            with reading_pages(read) as read_any:
                yield read_any


@contextmanager
def reading_pages(read: FileReader[Place]) -> Iterator[Callable[[PagePlace[Place]], bytes | Failure]]:
    """Yield a reader of files and of pages in them. It keeps the document of the last page open."""
    with ExitStack() as stack:
        documents = _LastDocument(read, stack)
        yield lambda place: documents.page(place) if isinstance(place, Page) else read(place)


def _with_pages(container: FileContainer[Place]) -> Listing[PagePlace[Place]]:
    files = container.listing
    failures: dict[str, Failure] = {}
    if not files.tiffs:
        return cast("Listing[PagePlace[Place]]", files)
    images: dict[str, PagePlace[Place]] = {}
    with container.opened() as read:
        for name, place in files.images.items():
            if name not in files.tiffs or not _adds_pages(name, place, read, files, images, failures):
                images[name] = place
    return Listing(images=images, failures={**files.failures, **failures}, gaps=files.gaps, left_out=files.left_out)


def _adds_pages(
    name: str,
    place: Place,
    read: FileReader[Place],
    files: Listing[Place],
    images: dict[str, PagePlace[Place]],
    failures: dict[str, Failure],
) -> bool:
    """Add the pages of a document. Return False if the file is not one, or has one page, and so is read as a whole."""

    def free(number: int) -> str:
        """Return the name of a page, or a similar one if a file has it."""
        page = page_name(name, number)
        while page in files.images or page in files.failures:
            page = "##page=".join(page.rsplit("#page=", 1))
        return page

    file = read.document(place)
    if isinstance(file, Failure):
        return False
    with file:
        document = list_pages(_reader(file))
    if document is None or document.is_plain:
        return False
    if len(document.pages) == 1 and not document.fault:
        images[name] = Page(place, document.pages[0])
        return True
    for number, directory in enumerate(document.pages, 1):
        images[free(number)] = Page(place, directory)
    if document.fault:
        failures[free(len(document.pages) + 1)] = unreadable(
            f"{document.fault}, and the job has none of the pages from here on; save the document again, or in parts"
        )
    return True


class _LastDocument(Generic[Place]):
    """Keeps the document of the last page open, because a packed one would be unpacked again for each of its pages.

    Args:
        read: Reader of the container.
        stack: What closes the document in the end.
    """

    def __init__(self, read: FileReader[Place], stack: ExitStack) -> None:
        self._read, self._stack = read, stack
        self._place: Place | None = None
        self._file: BinaryIO | Failure = unreadable("it was not opened")

    def page(self, page: Page[Place]) -> bytes | Failure:
        """Return a page as a file of its own, or the failure to read it."""
        if page.document != self._place:
            self._stack.close()
            self._place, self._file = page.document, self._read.document(page.document)
            if not isinstance(self._file, Failure):
                self._stack.enter_context(self._file)
        if isinstance(self._file, Failure):
            return self._file
        try:
            return copy_page(_reader(self._file), page.directory)
        except ImageError as fault:
            return fault.failure


def _reader(file: BinaryIO) -> Read:
    def read(at: int, size: int) -> bytes:
        try:
            file.seek(at)
            return file.read(size)
        except (OSError, OverflowError, ValueError):  # a place that no file has, or the file is gone
            return b""

    return read
