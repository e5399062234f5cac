"""Facts about the code as a whole: what an import does, where things are, and what the documents list.

`make lint` checks which package imports which.
"""

import ast
import json
import os
import pkgutil
import re
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import matplotlib as mpl
import pytest

from model.errors import FailureCode
from producer.cli.exits import ExitCode
from producer.cli.main import COMMANDS

ROOT = Path(__file__).parent.parent
PACKAGES = ("digitmill", "model", "worker", "producer")
LIBRARIES = {"matplotlib", ".keras"}
"""Libraries that write a cache or settings of their own when they are imported."""

README = (ROOT / "README.md").read_text()

IMPORT_ALL = """
import importlib, json, os, sys, threading
for name in os.environ["WITHOUT"].split():
    sys.modules[name] = None
read = set()
get = type(os.environ).__getitem__
def recording(self, name):
    read.add(os.fsdecode(name))
    return get(self, name)
type(os.environ).__getitem__ = recording
needing = []
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ImportError as fault:
        if fault.name is None or fault.name.partition(".")[0] not in os.environ["WITHOUT"].split():
            raise
        needing.append(name)
print(json.dumps({
    "needing": needing,
    "threads": [thread.name for thread in threading.enumerate()],
    "variables": sorted(name for name in read if name.startswith("DIGITMILL_")),
}))
"""


def modules() -> list[str]:
    """Return the names of all modules of digitmill's packages."""
    found = []
    for package in PACKAGES:
        found.append(package)
        found += [module.name for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}.")]
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a source file, which several tests read."""
    return ast.parse(path.read_text(encoding="utf-8"))


def trees(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield the path from the root, and the syntax tree, of every source file of these packages."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), parsed(path)


def import_all(names: list[str], home: Path, *, without: str = "") -> tuple[dict[str, list[str]], list[str]]:
    """Import modules in a process of its own. Return what it reports, and the files that it has made."""
    home.mkdir()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MPL", "KERAS"))}
    environment = {**kept, "HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1", "WITHOUT": without}
    environment |= {"PYTHONPATH": str(ROOT), "DIGITMILL_LEASE_SECONDS": "nonsense", "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment["MPLCONFIGDIR"] = mpl.get_cachedir()  # making a new list of fonts takes seconds
    output = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(names)], env=environment, cwd=home, stdout=-1, check=True
    ).stdout
    made = [path.relative_to(home) for path in home.rglob("*") if path.is_file()]
    return json.loads(output), [str(path) for path in made if not LIBRARIES & set(path.parts)]


@pytest.mark.slow
def test_importing_does_nothing_else(tmp_path: Path) -> None:
    """Importing a module starts no thread, writes no file and reads no setting."""
    said, made = import_all(modules(), tmp_path / "plain", without="tensorflow keras")
    assert (said["threads"], said["variables"], made) == (["MainThread"], [], [])
    needing = said["needing"]
    assert all(name.startswith("model.") for name in needing), "only the trainer needs TensorFlow"
    if not find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    said, made = import_all(needing, tmp_path / "training")
    assert (said["needing"], said["threads"], said["variables"], made) == ([], ["MainThread"], [], [])


READS_TEXT = {"read_text", "write_text"}
OPENS_TEXT = {"open", "NamedTemporaryFile", "TemporaryFile", "fdopen"}
RUNS = {"run", "Popen", "check_output", "check_call"}


def _has_no_encoding(call: ast.Call) -> bool:
    """Whether a call opens a text file, or talks to a process in text, and leaves the encoding to the locale."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if "encoding" in keywords:
        return False
    if name in RUNS:
        return "text" in keywords or "universal_newlines" in keywords
    if name in READS_TEXT:
        return True
    given = [each.value for each in (*call.args, keywords.get("mode")) if isinstance(each, ast.Constant)]
    modes = [mode for mode in given if isinstance(mode, str) and re.fullmatch("[rwaxbt+]{1,3}", mode)]
    return name in OPENS_TEXT and bool(modes) and not any("b" in mode for mode in modes)


def test_no_text_depends_on_the_locale() -> None:
    """Every text file, and every process that is talked to in text, has an encoding. A legacy locale has another."""
    found = [
        f"{path}:{node.lineno}"
        for path, tree in trees("digitmill", "model", "worker", "producer", "benchmarks")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and _has_no_encoding(node)
    ]
    assert found == []


ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
MAX_MODULES = 13
"""Maximum number of modules in a room, so that a newcomer finds the right one from `ls` alone."""


def rooms() -> set[str]:
    """Return every folder of code, with a slash at its end, except `model/`, `worker/` and `producer/` themselves."""
    folders = {path.parent.relative_to(ROOT).as_posix() for each in PACKAGES for path in (ROOT / each).rglob("*.py")}
    return {f"{folder}/" for folder in folders - {"model", "worker", "producer"}}


def test_percentages_have_a_space_everywhere() -> None:
    """Python's format `%` writes none, so `model.wording.percent` writes shares."""
    without = [
        f"{path}:{node.lineno}"
        for path, tree in trees(*PACKAGES)
        for node in ast.walk(tree)
        if isinstance(node, ast.FormattedValue) and ast.unparse(node.format_spec or ast.Constant("")).endswith("%'")
    ]
    assert without == []


def test_the_code_map_is_that_of_the_tree() -> None:
    """ARCHITECTURE.md has one line for each room, and none for a room that does not exist."""
    table = ARCHITECTURE.partition("## Code map")[2].partition("## ")[0]
    mapped = re.findall(r"^\| `([\w/]+/)` \|", table, re.MULTILINE)
    assert len(mapped) == len(set(mapped))
    assert set(mapped) == rooms()


def test_no_room_is_overcrowded() -> None:
    """Each folder of code holds at most `MAX_MODULES` modules."""
    modules: dict[str, int] = {}
    for each in PACKAGES:
        for path in (ROOT / each).rglob("*.py"):
            if path.name not in {"__init__.py", "__main__.py"}:
                folder = path.parent.relative_to(ROOT).as_posix()
                modules[folder] = modules.get(folder, 0) + 1
    assert {folder: count for folder, count in modules.items() if count > MAX_MODULES} == {}


def test_each_room_of_the_code_has_a_room_of_tests() -> None:
    """tests/ mirrors the rooms. A subpackage may be tested in the folder of the room above it."""
    missing = []
    for room in rooms():
        folder = ROOT / "tests" / room
        if not list(folder.glob("test_*.py")) and not list(folder.parent.glob("test_*.py")):
            missing.append(room)
    assert missing == []


LOADED_BY_HELP = """
import sys
from producer.cli import main
main(["--help"], standalone_mode=False)
packages = {name.partition(".")[0] for name in sys.modules}
print("LOADED", *sorted(packages - set(sys.stdlib_module_names)))
"""


def test_help_needs_click_alone() -> None:
    """`digitmill --help` loads Click and our own modules, and no other library, so it appears at once."""
    # Without `site`, which loads what .pth files name, such as the tools that measure coverage.
    libraries = [str(ROOT), sysconfig.get_paths()["purelib"]]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(libraries)}
    command = [sys.executable, "-S", "-c", LOADED_BY_HELP]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.rpartition("LOADED ")[2].split())
    assert loaded == {"__main__", "click", "model", "producer", "worker"}


def test_only_the_settings_read_the_environment() -> None:
    """Only worker/settings.py reads `DIGITMILL_*` variables, so only one place checks them."""
    uses: dict[str, list[str]] = {}
    for path, tree in trees(*PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}:
                uses.setdefault(path, [])
            if isinstance(node, ast.Call | ast.Subscript) and ast.unparse(node).startswith(("os.environ", "os.getenv")):
                uses.setdefault(path, []).append(ast.unparse(node))
    assert uses.pop("worker/settings.py") == [], "they take a mapping, so that they can be tested"
    assert uses.pop("producer/mill/stack.py") == [], "it passes everything on to its children, and reads nothing"
    assert uses.pop("model/images/decoding/helper.py") == [], "as above, except what belongs to digitmill"
    assert uses == {"model/network/tensorflow_import.py": ["os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')"]}, (
        "TensorFlow's own switch"
    )


KEEPERS = {
    f"worker/contract/{room}"
    for room in ("drift", "gate", "lane", "ledger", "observation", "registry", "teaching", "training")
}
"""The folders that know what Redis keeps, each with its `keys.py` and its Lua scripts."""

COMMON = "worker/contract"
"""The folder of `common.lua`, with which every script begins."""


def test_only_its_keeper_spells_a_key() -> None:
    """In Python, each key is named in only one `keys.py`, and each channel in `channels.py`.

    Scripts lie only in the folders of these.
    """
    spelling: dict[str, set[str]] = {}
    for path, tree in trees(*PACKAGES):
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"digitmill:\w", node.value):
                spelling.setdefault(path, set()).add(node.value)
    assert set(spelling) == {"worker/contract/lane/channels.py", *(f"{keeper}/keys.py" for keeper in KEEPERS)}
    assert sum(map(len, spelling.values())) == len(set().union(*spelling.values())), "two spell the same key"
    scripts = {path.parent.relative_to(ROOT).as_posix() for each in PACKAGES for path in (ROOT / each).rglob("*.lua")}
    assert scripts == {COMMON, *(f"{keeper}/scripts" for keeper in KEEPERS)}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_readme_names_every_command(command: str) -> None:
    """Its table has a row for each command."""
    rows = [line.split("|")[1] for line in README.splitlines() if line.startswith("| `")]
    assert any(re.search(rf"`{command}[ `]", row) for row in rows)


def test_the_docs_name_every_setting_and_no_other() -> None:
    """The tables of docs/settings.md list each setting, and no document names an unknown one."""
    [settings] = [tree for path, tree in trees("worker") if path == "worker/settings.py"]
    constants = [node.value for node in ast.walk(settings) if isinstance(node, ast.Constant)]
    known = {value for value in constants if isinstance(value, str) and re.fullmatch(r"DIGITMILL_[A-Z_]+", value)}
    for file in (ROOT / "docker-compose.yml", *(ROOT / "docker").glob("*.yml")):
        known |= set(re.findall(r"\$\{(DIGITMILL_[A-Z_]+)", file.read_text()))
    assert len(known) >= 10
    page = (ROOT / "docs" / "settings.md").read_text()
    assert set(re.findall(r"^\| `(DIGITMILL_[A-Z_]+)` \|", page, re.MULTILINE)) == known
    documents = [README, *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]
    assert set(re.findall(r"\bDIGITMILL_[A-Z_]*[A-Z]", "".join(documents))) == known


def test_the_docs_name_every_exit_code_and_no_other() -> None:
    """The first table of docs/exit-codes.md lists each exit code."""
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == set(ExitCode)


def test_the_docs_name_every_error_code_of_images_and_no_other() -> None:
    """The second table of docs/exit-codes.md lists each code that an error row can have."""
    page = (ROOT / "docs" / "exit-codes.md").read_text()
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(FailureCode)


def test_links_between_documents_lead_somewhere() -> None:
    """Each relative link in README, CONTRIBUTING and docs/ names a file that exists."""
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
            assert target.startswith("https://") or (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_dependency_has_its_reason() -> None:
    """A table in ARCHITECTURE.md says what each dependency is for."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    asked = [*project["dependencies"], *(item for items in project["optional-dependencies"].values() for item in items)]
    asked += [item for group in pyproject["dependency-groups"].values() for item in group if isinstance(item, str)]
    names = {re.split(r"[\[<>=;~! ]", item)[0] for item in asked} - {"digitmill"}
    reasons = (ROOT / "ARCHITECTURE.md").read_text().partition("## Dependencies")[2]
    cells = [re.sub(r"\[.*?\]", "", line.split("|")[1]) for line in reasons.splitlines() if line.startswith("| ")]
    explained = {name.strip() for cell in cells for name in cell.split(",")}
    # Another build, and the types, of libraries that the table explains already.
    aliases = {"tensorflow-cpu": "tensorflow", "types-psutil": "psutil"}
    assert {aliases.get(name, name) for name in names} - explained == set()
