"""Moving a file loses none and overwrites none."""

import os
from pathlib import Path

import pytest

from model.errors import UsageError
from producer.watching.moving import Mover


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another file system."""
    shared = Path("/dev/shm")  # noqa: S108  it is a file system of its own
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has one file system")
    folder = shared / f"digitmill-test-{os.getpid()}"
    folder.mkdir()
    yield folder
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def fill(inbox, text, name="a.png"):
    """Write a file."""
    path = inbox / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("where", ["here", "elsewhere", "without renameat2"])
def test_a_file_keeps_its_folders_and_gets_a_number_if_its_name_is_taken(where, inbox, tmp_path, request, monkeypatch):
    """On every file system."""
    target = request.getfixturevalue("elsewhere") if where == "elsewhere" else tmp_path / "done"
    if where == "without renameat2":
        monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    mover = Mover(target, None)
    for text in ("one", "two", "three"):
        mover.move(fill(inbox, text, "sub/a.png"), "sub/a.png", failed=False)
    assert {path.name: path.read_text() for path in (target / "sub").iterdir()} == {
        "a.png": "one",
        "a-2.png": "two",
        "a-3.png": "three",
    }
    assert list((inbox / "sub").iterdir()) == []


def test_failed_files_have_a_folder_of_their_own(inbox, tmp_path):
    """Without one, they stay. So does a file that is gone."""
    done, failed = tmp_path / "done", tmp_path / "failed"
    source = fill(inbox, "text")
    assert Mover(done, None).move(source, "a.png", failed=True) is None
    assert Mover(None, failed).move(source, "a.png", failed=False) is None
    assert source.exists()
    assert Mover(done, failed).move(source, "a.png", failed=True) == failed / "a.png"
    assert Mover(done, failed).move(source, "a.png", failed=False) is None


def test_a_copy_without_its_deletion_is_mended(inbox, elsewhere, monkeypatch):
    """A process that was killed between the two has left both files. The next one does not copy again."""
    source = fill(inbox, "text")
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            Mover(elsewhere, None).move(source, "a.png", failed=False)
    assert source.exists()
    Mover(elsewhere, None).move(source, "a.png", failed=False)
    assert [path.name for path in elsewhere.iterdir()] == ["a.png"]
    assert not source.exists()


def test_a_folder_that_cannot_be_made_is_named(inbox, tmp_path):
    """The sentence has both paths."""
    (tmp_path / "done").write_text("a file")
    with pytest.raises(UsageError, match=r"a\.png cannot be moved to .*done"):
        Mover(tmp_path / "done", None).move(fill(inbox, "text"), "a.png", failed=False)
