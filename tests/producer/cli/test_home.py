"""Commands keep what is private private, and work for users without a home folder."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

DIGITMILL = str(Path(sys.executable).with_name("digitmill"))
STRANGER = 54321
"""User and group that no list of users has."""

FONTS = {"MPLCONFIGDIR": mpl.get_cachedir()}
"""Where Matplotlib keeps its list of fonts, because making one for a new home takes seconds."""


def run(*arguments, folder, umask=0o022, user=None, **variables):
    """Run a command without the settings of this process. Return exit code, standard output and standard error."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "DIGITMILL_OFFLINE": "1",
        "TMPDIR": str(folder),
        **variables,
    }
    command = [DIGITMILL, *map(str, arguments)]
    if user is not None:
        # It may read everything, because Python itself is often below root's home folder.
        rights = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
        command = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *rights, *command]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, umask=umask, timeout=100, check=False
    )
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


@pytest.fixture
def folder(tmp_path, digits, png):
    """A folder in which everybody may write, with one image."""
    (tmp_path / "seven.png").write_bytes(png(digits.images[0]))
    tmp_path.chmod(0o777)
    return tmp_path


@pytest.mark.slow
@pytest.mark.usefixtures("one_core")
def test_all_that_a_mill_and_a_job_keep_is_private(folder):
    """Journal, logs, socket and the server's files are for their user alone. The report has the umask of the user."""
    variables = {"HOME": str(folder / "home"), **FONTS}
    code, _, said = run("submit", "seven.png", "--out", "report", folder=folder, umask=0, **variables)
    assert code == 0, said
    data = folder / "home" / ".local" / "share" / "digitmill"
    kept = [data, *data.rglob("*")]
    assert {"jobs", "mill", "lock", "server.log", "worker-1.log", "appendonlydir"} <= {path.name for path in kept}
    assert any(path.suffix == ".journal" for path in kept)
    assert [path for path in kept if path.stat().st_mode & 0o077] == []
    assert stat.S_IMODE((folder / "report" / "report.html").stat().st_mode) == 0o666


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"),
    reason="only root, with setpriv, can run as a user that nobody made",
)
class TestWithoutHome:
    """A user whom `docker run --user` made up has neither HOME nor an entry in the list of users."""

    @pytest.mark.usefixtures("one_core")
    def test_commands_work_if_the_data_folder_is_set(self, folder):
        """A mill starts, classifies and keeps its journal."""
        data = folder / "data"
        code, printed, said = run(
            "submit", "seven.png", "--out", "report", folder=folder, user=STRANGER, DIGITMILL_DATA=str(data)
        )
        assert code == 0, said
        assert printed.startswith("images    1 in ")
        assert "Matplotlib" not in said
        assert [path.stat().st_uid for path in data.glob("jobs/*.journal")] == [STRANGER]

    def test_without_a_data_folder_one_sentence_says_what_to_set(self, folder):
        """What needs no folder works, and nothing makes a folder named `~`."""
        code, _, said = run("submit", "seven.png", folder=folder, user=STRANGER)
        assert code == 2
        assert "This user has no home folder. Set DIGITMILL_DATA, and DIGITMILL_CACHE for downloads" in said
        code, _, said = run("jobs", folder=folder, user=STRANGER)
        assert code == 3
        assert said.startswith("digitmill: No mill is running on this machine.")
        assert not (folder / "~").exists()


def test_a_name_that_begins_with_a_tilde_is_a_name(folder):
    """Editors make names such as `~draft.png`. There is not a user of that name."""
    (folder / "seven.png").rename(folder / "~draft.png")
    code, printed, said = run("submit", "~draft.png", "--dry-run", folder=folder)
    assert code == 0, said
    assert "1 would be submitted" in printed


@pytest.fixture(params=["zh_CN.GBK", "C"])
def legacy_locale(request, tmp_path):
    """Return the variables with which a command uses a legacy locale. Most machines have only C, so make the other."""
    variables = {"LC_ALL": request.param, "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    language, _, encoding = request.param.partition(".")
    if not encoding:
        return variables
    command = ["localedef", "-i", language, "-f", encoding, str(tmp_path / request.param)]
    if not shutil.which("localedef") or subprocess.run(command, capture_output=True, check=False).returncode > 1:
        pytest.skip(f"localedef cannot make {request.param} (on Debian and Ubuntu, install the package locales)")
    return {**variables, "LOCPATH": str(tmp_path)}


def test_a_legacy_locale_works(folder, mill, legacy_locale):
    """Names of any bytes are read, listed, labelled and printed. The files of a report are UTF-8 all the same."""
    scans = folder / "scans"
    scans.mkdir()
    image = (folder / "seven.png").read_bytes()
    names = [
        "七.png".encode(),
        "七.png".encode("gbk"),
        "семь.png".encode("cp1251"),
        "é…▀.png".encode(),
        b"\xff\xfe.png",
    ]
    for raw in names:
        (Path(os.fsdecode(bytes(scans) + b"/" + raw))).write_bytes(image)
    truth = folder / "truth.csv"
    truth.write_text("name,label\n七.png,7\né…▀.png,7\n", encoding="utf-8")
    variables = {**legacy_locale, **FONTS, "HOME": str(folder / "home"), "DIGITMILL_REDIS_URL": mill.stack.url}
    given = ("submit", "scans", "--labels", "truth.csv")
    code, printed, said = run(*given, "--dry-run", folder=folder, **variables)
    assert (code, printed.splitlines()[1:]) == (
        0,
        ["images    5 would be submitted; 0 cannot be read", "labels    7: 2, none: 3"],
    ), said
    code, printed, said = run(*given, "--out", "report", folder=folder, **variables)
    assert code == 0, said
    assert "images    5 in " in printed
    assert len((folder / "report" / "predictions.csv").read_text(encoding="utf-8").splitlines()) == 6
    assert (folder / "report" / "report.html").read_text(encoding="utf-8").endswith("</html>\n")
    code, _, said = run("classify", os.fsdecode(b"scans/" + names[0]), "gone…▀.png", folder=folder, **variables)
    assert code == 1, said
    assert "Traceback" not in said
