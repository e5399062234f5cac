"""Implementations of `Source`: a container with labels, a path that cannot be opened, and several sources as one."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from itertools import islice
from types import MappingProxyType
from typing import Generic

from model.errors import Failure
from producer.sources.form import Form
from producer.sources.labelling.labels import MISSING, Labels
from producer.sources.listing import BlockReader, Container, Listing, Place
from producer.sources.source import ImageContent, Source, SourceBlock, SourceImage, one_by_one
from worker.contract.wire import Label

BLOCK = 1024
"""Maximum number of images in a block of an array."""


class ContainerSource(Generic[Place]):
    """The wanted images of one container, with their labels; see `Source`.

    Readable images come first, in the order of the container. After them come failures: one for each image that cannot
    be read, for each part of the container that could not be listed, and for each image that only a label file names.

    Args:
        container: Container of the images. The source opens it anew for each reading.
        wanted: Listing of the container, reduced to the images that the user wants.
        labels: Labels of these images.
        description: Description for people.
        root: Text before a name that makes it a path; see `Source.root`.
        form: How the numbers of an array file become images; see `Source.form`.
    """

    def __init__(
        self,
        container: Container[Place],
        wanted: Listing[Place],
        labels: Labels,
        *,
        description: str,
        root: str,
        form: Form | None = None,
    ) -> None:
        self.description = description
        self.root = root
        self.form = form
        self.left_out: Mapping[str, int] = wanted.left_out
        said = (form.sentence if form else "", labels.note or "")
        self.notes: tuple[str, ...] = tuple(filter(None, said))
        self._container = container
        self._images = wanted.images
        self._labels: Mapping[str, Label | None] = {**labels.known, **labels.absent}
        self._failures = {**wanted.failures, **wanted.gaps, **dict.fromkeys(labels.absent, MISSING)}

    @property
    def names(self) -> Collection[str]:
        """See `Source.names`."""
        return [*self._images, *self._failures]

    is_listed = True

    @property
    def total(self) -> int:
        """See `Source.total`."""
        return len(self._images) + len(self._failures)

    def only(self, names: Collection[str]) -> "ContainerSource[Place]":
        """See `Source.only`."""
        asked, chosen = set(names), copy(self)
        chosen._images = {name: place for name, place in self._images.items() if name in asked}  # noqa: SLF001  its own class
        chosen._failures = {name: failure for name, failure in self._failures.items() if name in asked}  # noqa: SLF001
        return chosen

    def __iter__(self) -> Iterator[SourceImage]:
        return one_by_one(self.runs())

    def runs(self) -> Iterator[SourceImage | SourceBlock]:
        """See `Source.runs`."""
        label, labels = self._labels.get, _LabelsInOrder(self._labels)
        with self._container.opened() as read:
            names, places = iter(self._images), iter(self._images.values())
            blocks = read if isinstance(read, BlockReader) else None  # asking takes as long as hundreds of images
            while blocks and (some := tuple(islice(names, BLOCK))):
                theirs = tuple(islice(places, BLOCK))
                block = blocks.block(theirs)
                if block is None:
                    yield from (
                        SourceImage(name, label(name), read(place)) for name, place in zip(some, theirs, strict=True)
                    )
                else:
                    yield SourceBlock(some, labels.of(some), block)
            for name, place in zip(names, places, strict=True):
                yield SourceImage(name, label(name), read(place))
        for name, failure in self._failures.items():
            yield SourceImage(name, label(name), failure)

    def read(self, name: str) -> ImageContent | None:
        """See `Source.read`."""
        if name not in self._images:
            return None
        with self._container.opened() as read:
            content = read(self._images[name])
        return None if isinstance(content, Failure) else content

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:
        """See `Source.read_many`."""
        return dict(self.read_each(names))

    def read_each(self, names: Collection[str]) -> Iterator[tuple[str, ImageContent]]:
        """See `Source.read_each`."""
        asked = set(names)
        with self._container.opened() as read:
            for name in filter(asked.__contains__, self._images):
                if not isinstance(content := read(self._images[name]), Failure):
                    yield name, content


class _LabelsInOrder:
    """Gives the labels of all images, block after block.

    Most arrays have a label for each image, in the order of the images. Then no label is looked up, which for a large
    array would take longer than to copy an image, because the memory of one look-up is far from that of the next.

    Args:
        labels: Labels by name.
    """

    def __init__(self, labels: Mapping[str, Label | None]) -> None:
        self._labels = labels
        self._names, self._values = iter(labels), iter(labels.values())
        self._same_order = True  # so far

    def of(self, names: tuple[str, ...]) -> tuple[Label | None, ...]:
        """Return the labels of the next images."""
        self._same_order = self._same_order and tuple(islice(self._names, len(names))) == names
        return tuple(islice(self._values, len(names)) if self._same_order else map(self._labels.get, names))


class UnopenedSource:
    """A source for a path that cannot be opened: one failure with the reason; see `Source`."""

    form = None
    left_out: Mapping[str, int] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    root = ""
    total = 1
    is_listed = True

    def __init__(self, path: str, failure: Failure) -> None:
        self.description = path
        self.names: Collection[str] = (path,)
        self._failure = failure

    def only(self, names: Collection[str]) -> "UnopenedSource":  # noqa: ARG002  it has one image
        """See `Source.only`."""
        return self

    def __iter__(self) -> Iterator[SourceImage]:
        yield SourceImage(self.description, None, self._failure)

    def runs(self) -> Iterator[SourceImage | SourceBlock]:
        """See `Source.runs`."""
        yield from self

    def read(self, name: str) -> ImageContent | None:  # noqa: ARG002  as in `Source`
        """See `Source.read`."""
        return None

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:  # noqa: ARG002  as in `Source`
        """See `Source.read_many`."""
        return {}

    def read_each(self, names: Collection[str]) -> Iterator[tuple[str, ImageContent]]:  # noqa: ARG002  as in `Source`
        """See `Source.read_each`."""
        yield from ()


class JoinedSource:
    """Several sources, one after the other; see `Source`.

    Every name begins with the root of its source, without the root of all. An image that several sources have, such as
    a file that was given twice, counts once.

    Args:
        sources: The sources.
        root: Text with which the root of each source begins; "" if names are the paths that the user gave.
    """

    def __init__(self, sources: Sequence[Source], *, root: str = "") -> None:
        names = [source.description for source in sources]
        self.description = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        self.root = root
        self.form = None
        self.left_out: Mapping[str, int] = sum((Counter(source.left_out) for source in sources), Counter())
        self.notes = tuple(note for source in sources for note in source.notes)
        self._labels: Mapping[str, Label | None] = {}
        self._absent: Mapping[str, Label | None] = {}
        self._owners: dict[str, Source] = {}
        for source in sources:
            prefix = self._prefix(source)
            for name in source.names:
                self._owners.setdefault(prefix + name, source)
        self._sources = tuple(dict.fromkeys(self._owners.values()))

    def label(self, labels: Labels) -> None:
        """Give the images the labels of a label file, and add the images that only this file names."""
        self._labels, self._absent = labels.known, labels.absent
        self.notes = (*self.notes, *filter(None, (labels.note,)))

    def _prefix(self, source: Source) -> str:
        return source.root.removeprefix(self.root)

    def _owned(self, names: Collection[str]) -> dict[Source, set[str]]:
        """Return the names of images as the source of each has them."""
        owned: dict[Source, set[str]] = {}
        for name in names:
            if owner := self._owners.get(name):
                owned.setdefault(owner, set()).add(name.removeprefix(self._prefix(owner)))
        return owned

    @property
    def names(self) -> Collection[str]:
        """See `Source.names`."""
        return [*self._owners, *self._absent]

    is_listed = True

    @property
    def total(self) -> int:
        """See `Source.total`."""
        return len(self._owners) + len(self._absent)

    def only(self, names: Collection[str]) -> "JoinedSource":
        """See `Source.only`."""
        asked, chosen = set(names), copy(self)
        parts = {source: source.only(owned) for source, owned in self._owned(asked).items()}
        chosen._sources = tuple(parts[source] for source in self._sources if source in parts)  # noqa: SLF001
        chosen._owners = {name: parts[owner] for name, owner in self._owners.items() if name in asked}  # noqa: SLF001
        chosen._absent = {name: label for name, label in self._absent.items() if name in asked}  # noqa: SLF001
        return chosen

    def __iter__(self) -> Iterator[SourceImage]:
        return one_by_one(self.runs())

    def runs(self) -> Iterator[SourceImage | SourceBlock]:
        """See `Source.runs`."""
        for source in self._sources:
            prefix = self._prefix(source)
            for run in source.runs():
                if isinstance(run, SourceImage):
                    name = prefix + run.name
                    if self._owners.get(name) is source:
                        yield SourceImage(name, self._labels.get(name, run.label), run.content)
                    continue
                names = [prefix + name for name in run.names]
                own = [row for row, name in enumerate(names) if self._owners.get(name) is source]
                labels = tuple(self._labels.get(names[row], run.labels[row]) for row in own)
                yield SourceBlock(tuple(names[row] for row in own), labels, run.images[own])
        for name, label in self._absent.items():
            yield SourceImage(name, label, MISSING)

    def read(self, name: str) -> ImageContent | None:
        """See `Source.read`."""
        owner = self._owners.get(name)
        return owner.read(name.removeprefix(self._prefix(owner))) if owner else None

    def read_many(self, names: Collection[str]) -> dict[str, ImageContent]:
        """See `Source.read_many`."""
        return dict(self.read_each(names))

    def read_each(self, names: Collection[str]) -> Iterator[tuple[str, ImageContent]]:
        """See `Source.read_each`."""
        asked = self._owned(names)
        for source in self._sources:
            if source in asked:
                for name, content in source.read_each(asked[source]):
                    yield self._prefix(source) + name, content
