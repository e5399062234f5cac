"""Facts about versions of the model as one file: they arrive whole or not at all, and nothing else changes."""

import io
import json
import tarfile
from hashlib import sha256

import pytest

from model.cards.card import CARD, MODEL
from model.errors import DigitmillError, ModelError, UsageError
from producer.model_file import LIST, export_versions, import_versions
from tests.support import tars
from tests.support.command import CommandLine
from tests.support.models import Harm, harmful
from worker.contract.registry import Registry, Retention


@pytest.fixture
def registry(client):
    """An empty registry."""
    return Registry(client)


@pytest.fixture
def exported(client, registry, variant, tmp_path):
    """A file with two versions, the second of which was live, and what their registry held. It is empty again."""
    held = []
    for name in ("first", "second"):
        card, files = variant(name)
        registry.publish(card, files)
        held.append((card, files))
    registry.promote(held[1][0].version, reason="test", canary=False)
    path = tmp_path / "models.tar"
    export_versions(registry, [card.version for card, _ in held], path)
    client.flushall()
    return path, held


def accept(*_):
    """Try no model."""


def test_versions_come_to_another_registry_as_they_were(registry, exported, server, tmp_path, variant):
    """With all files. A second import changes nothing, and neither moves an alias or drops a version."""
    path, held = exported
    digitmill = CommandLine(tmp_path, server.url)
    here, files = variant("here")
    registry.publish(here, files, retention=Retention(1))
    before = registry.aliases()
    done = digitmill("models", "import", path, "--json").json
    names = [card.version for card, _ in held]
    assert (done["models"], done["known"], done["aliases"]["live"]) == (names, [], names[1])
    assert registry.aliases() == before
    assert [each.version for each in registry.versions()][:3] == [names[1], names[0], here.version]
    assert [registry.fetch(name) for name in names] == held
    assert "2 versions were here already" in digitmill("models", "import", path).output
    made = digitmill("models", "export", "again.tar", names[0][:6], "--json").json
    assert made == {"format": 1, "file": "again.tar", "models": names[:1]}
    assert "again.tar exists. Name a new file." in digitmill("models", "export", "again.tar", code=2).errors


def test_a_file_with_another_model_of_a_known_name_imports_nothing(registry, exported, variant):
    """Versions never change."""
    path, _ = exported
    card, files = variant("second", temperature=3.0)
    registry.publish(card, files)
    with pytest.raises(ModelError, match="There is another model"):
        import_versions(registry, path, accept)
    assert len(registry.versions()) == 2


def test_a_harmful_model_is_tried_before_anything_is_published(client, registry, server, tmp_path, variant):
    """As `models push` does."""
    card, files = harmful(Harm.RAISE)
    registry.publish(*variant("good"))
    registry.publish(card, files)
    digitmill = CommandLine(tmp_path, server.url)
    digitmill("models", "export", "models.tar")
    client.flushall()
    digitmill("models", "import", "models.tar", code=2)
    assert [each.version for each in registry.versions()] == [registry.baseline.version]


def entries(path):
    """Return the entries of a file and their contents."""
    with tarfile.open(path) as archive:
        return [(entry, archive.extractfile(entry).read()) for entry in archive]  # type: ignore[union-attr]


def write(path, found, *, listed=True, **said):
    """Write entries as a file, with a list that vouches for them, or says something else."""
    with tarfile.open(path, "w") as archive:
        for entry, content in found:
            if entry.name != LIST:
                entry.size = len(content) if entry.isreg() else 0
                archive.addfile(entry, io.BytesIO(content))
        if listed:
            sums = {entry.name: sha256(content).hexdigest() for entry, content in found if entry.name != LIST}
            content = json.dumps({"format": 1, "entries": sums} | said).encode()
            archive.addfile(named(LIST, len(content)), io.BytesIO(content))


def named(name, size=1, kind=tarfile.REGTYPE, target=""):
    """Return an entry."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = size, kind, target
    return entry


HOSTILE = {
    "a path upwards": named("../first/x"),
    "an absolute path": named("/etc/x"),
    "a deep path": named("first/x/y"),
    "an upward version": named("../x"),
    "a symbolic link": named("first/x", 0, tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": named("first/x", 0, tarfile.LNKTYPE, "first/card.json"),
    "a device": named("first/x", 0, tarfile.CHRTYPE),
    "a folder": named("first", 0, tarfile.DIRTYPE),
    "a control character": named("first/\x1b[2J"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_entry_is_refused(registry, exported, name, tmp_path):
    """Although the list vouches for it."""
    path, _ = exported
    write(tmp_path / "hostile.tar", [*entries(path), (HOSTILE[name], b"x")])
    with pytest.raises(UsageError) as caught:
        import_versions(registry, tmp_path / "hostile.tar", accept)
    assert str(caught.value).isprintable()
    assert len(registry.versions()) == 1


def test_a_small_file_cannot_be_many_large_ones(registry, exported, tmp_path):
    """A sparse entry has holes, which would be read as zeros."""
    path, _ = exported
    real, sums = b"x" + bytes(8), {entry.name: sha256(body).hexdigest() for entry, body in entries(path)[:-1]}
    sparse = named("first/x")
    sparse.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(len(real))}
    body = b"1\n0\n1\n".ljust(512, b"\0") + b"x"
    said = {**sums, sparse.name: sha256(real).hexdigest()}
    write(tmp_path / "sparse.tar", [*entries(path), (sparse, body)], entries=said)
    assert {entry.name: content for entry, content in entries(tmp_path / "sparse.tar")}[sparse.name] == real
    with pytest.raises(UsageError, match="is not a file, or is too large"):
        import_versions(registry, tmp_path / "sparse.tar", accept)


def test_aliases_mean_versions_of_the_file(registry, exported, tmp_path):
    """A command to promote one is printed for the user to copy."""
    path, _ = exported
    write(tmp_path / "hostile.tar", entries(path), aliases={"live": "first; reboot"})
    with pytest.raises(UsageError, match="was altered or damaged"):
        import_versions(registry, tmp_path / "hostile.tar", accept)


def test_what_is_damaged_scattered_or_lacking_is_refused(registry, exported, tmp_path):
    """Nothing is published then, whatever the list says."""
    path, held = exported
    found, content = entries(path), path.read_bytes()
    huge = named("first/x", 1 << 40)
    twice = [*found[:1], *found]
    scattered = [*found[1:-1], found[0]]
    altered = [(entry, body.replace(b"second", b"fourth") if CARD in entry.name else body) for entry, body in found]
    lacking = [each for each in found if MODEL not in each[0].name]
    surplus = [(named(f"{held[0][0].version}/more"), b"x"), *found]
    other = [(entry, body + b" ") if entry.name.endswith(MODEL) else (entry, body) for entry, body in found]
    files = {
        "cut": content[: len(content) // 2],
        "none": b"x",
        "empty": b"",
        "flipped": content.replace(b"TFL3", b"TFL4"),
        **tars.HOSTILE,
    }
    for name, body in files.items():
        (tmp_path / name).write_bytes(body)
    (tmp_path / "huge").write_bytes(huge.tobuf() + b"x" * 512)
    for name, changed in {
        "twice": twice,
        "scattered": scattered,
        "altered": altered,
        "lacking": lacking,
        "surplus": surplus,
        "other": other,
    }.items():
        write(tmp_path / name, changed)
    write(tmp_path / "unlisted", entries(path), listed=False)
    for name in (*files, "huge", "twice", "scattered", "altered", "lacking", "surplus", "other", "unlisted"):
        with pytest.raises(DigitmillError):
            import_versions(registry, tmp_path / name, accept)
    assert len(registry.versions()) == 1
