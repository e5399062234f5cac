"""What digitmill keeps is private, whatever the umask is, and folders of other people keep their modes."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from model.data.taught import TaughtFolder
from model.errors import UsageError
from model.private_files import make_private_folder, open_private, whole_file


@pytest.fixture(params=[0o000, 0o022, 0o277])
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    """Each test runs with an umask that hides nothing, with the usual one, and with one that hides too much."""
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permissions of a file or folder."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("_umask")
def test_new_folders_and_files_are_private(tmp_path):
    """A folder gets the mode 0700 and a file 0600. Only the folder itself is private, and not its new parents."""
    folder = tmp_path / "data"
    make_private_folder(folder)
    with open_private(folder / "new", "a+b") as file:
        file.write(b"x")
    assert (mode(folder), mode(folder / "new")) == (0o700, 0o600)


def test_an_older_folder_and_its_files_become_private(tmp_path):
    """Earlier versions left the data folder readable by everybody."""
    folder = tmp_path / "data"
    (folder / "jobs").mkdir(parents=True)
    (folder / "mill").mkdir()
    journal = folder / "jobs" / "261125-101112-abc.journal"
    journal.touch()
    for path, wide in ((folder, 0o755), (folder / "jobs", 0o777), (journal, 0o644)):
        path.chmod(wide)
    make_private_folder(folder)
    make_private_folder(folder / "jobs")
    with open_private(journal, "a+b"):
        assert [mode(path) for path in (folder, folder / "jobs", journal)] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("wide", [0o755, 0o777, 0o2775, 0o1777])
def test_a_folder_with_other_contents_keeps_its_mode(tmp_path, wide):
    """`DIGITMILL_DATA` may name a folder that others use as well. What digitmill makes in it is still private."""
    folder = tmp_path / "shared"
    (folder / "jobs").mkdir(parents=True)
    (folder / "thesis.odt").touch()
    folder.chmod(wide)
    make_private_folder(folder)
    make_private_folder(folder / "mill")
    assert (mode(folder), mode(folder / "mill")) == (wide, 0o700)


@pytest.mark.parametrize("wide", [0o2775, 0o1777])
def test_a_folder_that_several_users_share_keeps_its_mode(tmp_path, wide):
    """The set-group-ID bit and the sticky bit say that a folder is shared on purpose, even if it is empty."""
    tmp_path.chmod(wide)
    make_private_folder(tmp_path)
    assert mode(tmp_path) == wide


def test_a_file_in_the_place_of_a_folder_is_not_touched(tmp_path):
    """It stays as it is, and the error is one that callers explain."""
    path = tmp_path / "data"
    path.write_bytes(b"mine")
    path.chmod(0o644)
    with pytest.raises(FileExistsError):
        make_private_folder(path)
    assert (path.read_bytes(), mode(path)) == (b"mine", 0o644)


def test_without_a_home_folder_the_message_names_the_settings(monkeypatch, tmp_path):
    """A path that still begins with `~` never becomes a folder of that name."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no home folder.*DIGITMILL_DATA.*DIGITMILL_CACHE"):
        make_private_folder(Path("~/.local/share/digitmill"))
    assert list(tmp_path.iterdir()) == []


def test_taught_images_are_private(tmp_path):
    """Users teach scans of their own papers."""
    before = os.umask(0)
    try:
        TaughtFolder(tmp_path / "taught").store(np.zeros((28, 28), np.uint8), 3)
    finally:
        os.umask(before)
    made = [tmp_path / "taught", *sorted((tmp_path / "taught").rglob("*"))]
    assert [mode(path) for path in made] == [0o700, 0o700, 0o600]


@pytest.mark.parametrize("private", [False, True])
def test_a_whole_file_appears_when_it_is_whole(tmp_path, private):
    """Until then, and if writing it fails, nothing of it has the name; and nothing else stays."""
    path = tmp_path / "file"
    with whole_file(path, private=private) as file:
        file.write(b"all")
        assert not path.exists()
    assert path.read_bytes() == b"all"
    assert not private or not path.stat().st_mode & 0o077
    with pytest.raises(KeyboardInterrupt), whole_file(tmp_path / "other", private=private) as file:
        raise KeyboardInterrupt
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def write(path, content):
    """Write a whole file."""
    with whole_file(path, private=True) as file:
        file.write(content)


def test_of_two_that_write_a_whole_file_at_once_one_fails(tmp_path):
    """Neither tears the other's, and what a killed one has left is in nobody's way."""
    path = tmp_path / "file"
    (tmp_path / "file.part").write_bytes(b"of an earlier version that was killed")
    slow = contextlib.ExitStack()
    slow.enter_context(whole_file(path, private=True)).write(b"slow")
    write(path, b"fast")
    with pytest.raises(FileExistsError):
        slow.close()
    assert path.read_bytes() == b"fast"
    path.unlink()
    path.symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        write(path, b"through a link")


def test_a_file_system_without_links_is_good_enough(tmp_path, monkeypatch):
    """Such as that of many USB sticks, where backups go."""

    def fail(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", fail)
    write(tmp_path / "file", b"all")
    assert (tmp_path / "file").read_bytes() == b"all"
