"""A folder whose images are classified while it is listed, so that a large one need not be listed first."""

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

from model.errors import Failure
from producer.sources.folders.folder import PathReader, list_runs
from producer.sources.labelling.labels import folder_label, some_in_folders
from producer.sources.listing import Listing
from producer.sources.naming import Selection, document_of, is_clutter
from producer.sources.pages import Page, PagePlace, Pages, reading_pages
from producer.sources.source import ImageContent, Source, SourceBlock, SourceImage

RUN = 10_000
"""Number of images after which a listing is handed on. They take a core 0.1 s to list, to sort and to record.

So a folder with fewer images is sorted by name. A larger one comes in runs, in the order in which the
file system lists them, and each run is sorted by name.
"""


class ListedImage(NamedTuple):
    """One image of a folder, or the failure of one that is known to be unreadable.

    Attributes:
        name: Its name; see `SourceImage`.
        document: Name of the document of which it is a page, or "" if it is a file of its own.
        directory: Place of the page's directory in the document; see `Page`.
        failure: Its failure, or None.
    """

    name: str
    document: str = ""
    directory: int = 0
    failure: Failure | None = None


class ImageList(Protocol):
    """What records the order of a folder's images, so that another process finds the same order.

    Attributes:
        rows: Number of images so far.
        left_out: Number of files that are left out, by kind. It is complete when the list is.
        is_complete: Whether all images are in the list.
    """

    rows: int
    left_out: Mapping[str, int]
    is_complete: bool

    def add(self, images: Sequence[ListedImage]) -> None:
        """Add images at the end."""

    def finish(self, left_out: Mapping[str, int]) -> None:
        """Record that all images are in the list."""

    def pieces(self) -> int:
        """Return in how many pieces the list can be read so far."""

    def piece(self, index: int) -> Iterable[ListedImage]:
        """Return one piece of the list."""


class GrowingFolder:
    """The images of a folder, listed while they are read; see `Source`.

    Args:
        path: Path of the folder.
        selection: Which images the user wants.
        whole: Function that opens the same folder as a source that is listed already.
        by_folder: Whether to note that some images lie in folders that look like labels.
        numbers: Whether labels are numbers.

    Raises:
        UsageError: The folder cannot be listed.

    Attributes:
        first: The images that were listed when it was opened.
    """

    form = None

    def __init__(self, path: Path, selection: Selection, whole: "_Opener", *, by_folder: bool, numbers: bool) -> None:
        self.description = str(path)
        self.root = self.description.rstrip(os.sep) + "/"
        self._selection, self._whole, self._by_folder, self._numbers = selection, whole, by_folder, numbers
        self._record: ImageList | None = None
        self._recorded: set[str] = set()
        self._known: tuple[int, Mapping[str, int]] | None = None
        self._begin()
        self.first = tuple(next(self._walk, ()))
        self._ahead = True  # whether the first run was taken from the walk, and not yet handed on

    def _begin(self) -> None:
        self._total, self._ended = 0, False
        self._left_out: Counter[str] = Counter()
        self._in_folders = self._readable = 0
        self._stray = ""
        self._walk = self._walked()

    def _walked(self) -> Iterator[list[ListedImage]]:
        """Yield the wanted images in runs, and note what the folder has."""
        for listing in list_runs(self.description, RUN):
            images = [*self._images_of(listing)]
            self._total += len(images)
            self._left_out += listing.left_out
            self._ended = len(listing.images) + len(listing.failures) < RUN
            yield images

    def _images_of(self, listing: Listing[str]) -> Iterator[ListedImage]:
        pages, takes = Pages(_Run(listing, self.root)).listing, self._selection.takes
        for name, place in pages.images.items():
            if takes(name):
                if self._by_folder:
                    self._note_folder(name)
                yield _listed(name, place)
        for name, failure in pages.failures.items():
            if takes(name):
                yield ListedImage(name, failure=failure)
        for name, failure in pages.gaps.items():
            if not self._selection.excludes(name):
                yield ListedImage(name, failure=failure)

    def _note_folder(self, name: str) -> None:
        self._readable += 1
        if folder_label(name, numbers=self._numbers) is not None:
            self._in_folders += 1
        elif not self._stray:
            self._stray = name

    @property
    def may_be_labelled(self) -> bool:
        """Whether the folders of all images so far look like labels."""
        return self._by_folder and not self._stray

    @property
    def is_listed(self) -> bool:
        """See `Source.is_listed`."""
        return self._record.is_complete if self._record else self._ended or self._known is not None

    @property
    def total(self) -> int:
        """Number of images so far; see `Source.total`."""
        if self._record:
            return self._record.rows
        return self._known[0] if self._known else self._total

    @property
    def left_out(self) -> Mapping[str, int]:
        """See `Source.left_out`. It is complete when the folder is listed."""
        if self._record and self._record.is_complete:
            return self._record.left_out
        return self._known[1] if self._known else self._left_out

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Source.notes`. There are none before the folder is listed."""
        if not (self._ended and self._in_folders and self._stray):
            return ()
        return (some_in_folders(self._in_folders, self._readable, self._stray, numbers=self._numbers),)

    @property
    def names(self) -> Collection[str]:
        """See `Source.names`. It lists the whole folder."""
        return self._whole().names

    def only(self, names: Collection[str]) -> Source:
        """See `Source.only`. It lists the whole folder."""
        return self._whole().only(names)

    def know(self, total: int, left_out: Mapping[str, int]) -> None:
        """Take note of what a complete list of the images says. A report needs no more of it."""
        self._known = total, left_out

    def record_in(self, record: ImageList) -> None:
        """Keep the order in a list. If that has images already, their order counts, whatever the folder has now."""
        self._record, self._recorded = record, set()
        if not (self._ahead or record.is_complete):
            self._begin()  # somebody has read it without the list
        for index in range(0 if record.is_complete else record.pieces()):
            self._recorded.update(image.name for image in record.piece(index))

    def listed(self) -> Iterator[ListedImage]:
        """Yield all images in their order, and list the folder at the same time."""
        if self._record is None:
            for run in self._runs():
                yield from run
            return
        index = 0
        while True:
            more = self._list_more(self._record)
            if index < self._record.pieces():
                yield from self._record.piece(index)
                index += 1
            elif not more:
                return

    def _runs(self) -> Iterator[Sequence[ListedImage]]:
        if self._ahead:
            self._ahead = False
            yield self.first
        else:
            self._begin()
        yield from self._walk

    def _list_more(self, record: ImageList) -> bool:
        """Add the next run to the record. Return False if there is none."""
        if record.is_complete:
            return False
        run = self.first if self._ahead else next(self._walk)
        self._ahead = False
        if self._recorded:
            run = [image for image in run if image.name not in self._recorded]
        record.add(run)
        if self._ended:  # so whoever resumes a job of a small folder need not list it again
            record.finish(self._left_out)
            self._recorded.clear()
        return True

    def load(self, images: Iterable[ListedImage]) -> Iterator[SourceImage]:
        """Yield images with their contents, or with the failures to read them."""
        with reading_pages(PathReader(self.root)) as read:
            for image in images:
                yield SourceImage(image.name, None, image.failure or read(_place(image)))

    def __iter__(self) -> Iterator[SourceImage]:
        return self.load(self.listed())

    def runs(self) -> Iterator[SourceImage | SourceBlock]:
        """See `Source.runs`."""
        yield from self

    def read(self, name: str) -> ImageContent | None:
        """See `Source.read`."""
        return self.read_many({name}).get(name)

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:
        """See `Source.read_many`."""
        return dict(self.read_each(names))

    def read_each(self, names: Collection[str]) -> Iterator[tuple[str, ImageContent]]:
        """See `Source.read_each`. A name that comes from Redis does not lead out of the folder."""
        found = filter(None, map(self._find, names))
        for image in self.load(found):
            if not isinstance(image.content, Failure):
                yield image.name, image.content

    def _find(self, name: str) -> ListedImage | None:
        """Return the image of a name without listing the folder, or None if the folder does not have it."""
        parts = name.split("/")
        if any(part in ("", "..") or is_clutter(part) for part in parts) or not self._selection.takes(name):
            return None
        for document in (name, document_of(name)):
            if os.path.isfile(self.root + document):  # noqa: PTH113  isfile takes any text
                run = Listing(images={document: document}, tiffs={document})
                place = Pages(_Run(run, self.root)).listing.images.get(name)
                return _listed(name, place) if place else None
        return None


class _Opener(Protocol):
    def __call__(self) -> Source:
        """Open the folder, and list it as a whole."""


class _Run:
    """Some files of a folder; see `listing.FileContainer`."""

    def __init__(self, listing: Listing[str], root: str) -> None:
        self.listing = listing
        self._root = root

    @contextmanager
    def opened(self) -> Iterator[PathReader]:
        """Yield a reader of the file of a name."""
        yield PathReader(self._root)


def _listed(name: str, place: PagePlace[str]) -> ListedImage:
    if isinstance(place, Page):
        return ListedImage(name, place.document, place.directory)
    return ListedImage(name)


def _place(image: ListedImage) -> PagePlace[str]:
    return Page(image.document, image.directory) if image.document else image.name
