"""Versions of the model as one file, for another mill: `models export` and `models import`.

The file is a tar archive without compression. It has the card and the files of each version, the oldest version first,
and at the end a list with the SHA-256 of each entry and with what the aliases meant.
"""

import hashlib
import io
import itertools
import json
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from model.cards.card import CARD, MODEL, Card
from model.errors import ModelError, UsageError
from model.printable import printable
from model.private_files import whole_file
from model.records import Damaged, from_json
from worker.contract.registry import Registry
from worker.contract.registry.checks import MAX_VERSION_BYTES, check_complete
from worker.contract.validation import identifiers
from worker.contract.validation.identifiers import Kind

FORMAT = 1
LIST = "digitmill-models.json"
"""Name of the last entry."""

MAX_FILES = 20_000
"""Largest number of files. A registry has at most 1,000 versions, with about ten files each."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """The last entry: the SHA-256 of each other by its name, and the version that each alias meant."""

    entries: dict[str, str]
    aliases: dict[str, str] = field(default_factory=dict)


class Imported(NamedTuple):
    """What an import did.

    Attributes:
        new: Versions that were published.
        known: Versions that the registry had already.
        aliases: What the aliases meant where the file was made.
    """

    new: list[str]
    known: list[str]
    aliases: Mapping[str, str]


def export_versions(registry: Registry, versions: Sequence[str], path: Path) -> None:
    """Write versions into a new file.

    Args:
        registry: The registry.
        versions: Names of the versions, the oldest first.
        path: New file. It appears only when it is whole.

    Raises:
        ModelError: A version is missing, incomplete or altered.
        UsageError: The file exists, or cannot be written.
    """
    digests = dict[str, str]()
    try:
        with whole_file(path, private=False) as file, tarfile.TarFile(fileobj=file, mode="w") as archive:
            for version in versions:
                card, files = registry.fetch(version)
                for name, content in {**files, CARD: card.dumps().encode()}.items():
                    _add(archive, f"{version}/{name}", content)
                    digests[f"{version}/{name}"] = hashlib.sha256(content).hexdigest()
            aliases = {
                alias: version
                for alias, version in registry.aliases()._asdict().items()
                if version is not None and version in versions
            }
            _add(archive, LIST, json.dumps({"format": FORMAT, "entries": digests, "aliases": aliases}).encode())
    except FileExistsError:
        raise UsageError(f"{path} exists. Name a new file.") from None
    except OSError as fault:
        raise UsageError(f"The versions cannot be written to {path} ({fault.strerror}). Name another file.") from fault


def import_versions(registry: Registry, path: Path, check: Callable[[Card, bytes], None]) -> Imported:
    """Publish the versions of a file that a registry lacks. No alias changes, and no version is dropped.

    Everything is checked before anything is published.

    Args:
        registry: The registry.
        path: The file.
        check: Function that tries a model, given its card and its model.tflite.

    Raises:
        ModelError: A version is not a whole model, or its model did not pass, or another version has its name.
        UsageError: The file is not what `export_versions` writes, or it was altered.
    """
    said = _verify(path)
    names = list(dict.fromkeys(entry.partition("/")[0] for entry in said.entries))
    published = {each.version: each.card for each in registry.versions()}
    new: list[str] = []
    for card, files in _versions(path, names):
        check_complete(card, files)
        if card.version not in published:
            check(card, files[MODEL])
            new.append(card.version)
        elif published[card.version] != card:
            raise ModelError(
                f"There is another model {card.version} here already, so nothing is imported. Export the others alone."
            )
    for card, files in _versions(path, names):
        if card.version in new:
            registry.publish(card, files, retention=None)
    return Imported(new, [name for name in names if name not in new], said.aliases)


def _verify(path: Path) -> _Contents:
    """Return the list of a file, if the file has exactly what the list says.

    Raises:
        UsageError: It does not.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            digests, said = _digests(archive)
        contents = from_json(_Contents, said, format=FORMAT)
    except OSError as fault:
        raise UsageError(f"{path} cannot be read ({fault.strerror or fault}). Name another file.") from None
    # Headers may be nested without end, or say that they are larger than the memory.
    except (tarfile.TarError, ValueError, EOFError, RecursionError, MemoryError, OverflowError) as fault:
        raise UsageError(
            f"{path} is not a whole file of `digitmill models export` ({printable(str(fault))}). Export it again."
        ) from None
    versions = {entry.partition("/")[0] for entry in digests}
    if contents.entries != digests or not versions.issuperset(contents.aliases.values()):
        raise UsageError(f"{path} was altered or damaged: its list names other files or contents. Export it again.")
    return contents


def _digests(archive: tarfile.TarFile) -> tuple[dict[str, str], bytes]:
    """Return the SHA-256 of each entry but the list, by its name, and the list.

    Raises:
        Damaged: An entry is not a file of a version, or is there twice, or something follows the list.
    """
    digests, said = dict[str, str](), b""
    for member in archive:
        if said:
            raise Damaged("something follows its list")
        if member.name == LIST:
            said = _read(archive, member)
            continue
        version, _, name = member.name.partition("/")
        if not identifiers.is_valid(Kind.VERSION, version) or not identifiers.is_valid(Kind.VERSION, name):
            raise Damaged(f"{member.name[:100]} is not a file of a version")
        if member.name in digests or len(digests) >= MAX_FILES:
            raise Damaged(f"{member.name} is there twice, or there are more than {MAX_FILES:,} files")
        digests[member.name] = hashlib.sha256(_read(archive, member)).hexdigest()
    return digests, said


def _versions(path: Path, names: Sequence[str]) -> Iterator[tuple[Card, dict[str, bytes]]]:
    """Yield card and files of each version of a verified file, one version at a time.

    Raises:
        ModelError: A version does not have a card of its name.
        UsageError: The files of a version are not one after the other, or are too large together.
    """
    with tarfile.open(path, "r:") as archive:
        entries = itertools.groupby(archive, key=lambda member: member.name.partition("/")[0])
        for name, (version, members) in zip(names, entries, strict=False):
            files, size = dict[str, bytes](), 0
            for member in members:
                size += member.size
                if size > 2 * MAX_VERSION_BYTES:
                    break  # before all of it is in memory
                files[member.name.partition("/")[2]] = _read(archive, member)
            if version != name or size > 2 * MAX_VERSION_BYTES:
                raise UsageError(f"The files of {name} in {path} are scattered, or too large. Export it again.")
            card = Card.loads(files.pop(CARD, b""))
            if card.version != name:
                raise ModelError(f"The version {name} in {path} has the card of {card.version}. Export it again.")
            yield card, files


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    """Return the content of an entry, which is a regular file of a size that a version can have.

    Raises:
        Damaged: It is not.
    """
    file: IO[bytes] | None = archive.extractfile(member) if member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
    if file is None or member.size > MAX_VERSION_BYTES or member.issparse():
        raise Damaged(f"{member.name[:100]} is not a file, or is too large")
    return file.read()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
