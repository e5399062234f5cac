"""Every example runs: those that `--help` prints, and the commands in README.md and docs/.

A block of Markdown is run line by line, in a folder that has what the examples name. Some cannot run everywhere:
`NOT_RUN` says which, and why.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import zipfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click
import pytest

from model.data.mnist import NPZ
from producer.cli.main import main
from producer.jobs.kept.order import SubmitOptions
from producer.jobs.submission import create_job
from tests.support.command import CommandLine
from tests.support.images import number_picture
from tests.support.models import write_model
from tests.support.waiting import eventually
from worker.contract.connection import connect
from worker.contract.gate import GateState, QueueGate
from worker.contract.ledger import JobState
from worker.contract.registry import keys as registry_keys
from worker.contract.users import RedisUser

ROOT = Path(__file__).parents[2]

NOT_RUN = {
    r"make |source |python3 -m venv|pip install|export |mkdir -p tls|openssl |sudo ": "sets up a machine",
    r"echo |printf |sed ": "writes files of such a machine",
    r"docker |\. \./\.env": "needs Docker; `make compose-test` runs the stack",
    r"kubectl |for role in |done$": "needs a cluster; tests/test_kubernetes.py checks what it gets",
    r"celery(-exporter)? ": "needs tools that watch Celery, and a Redis elsewhere",
    r"redis-(server|cli) ": "needs programs of Redis, and sets up a machine",
    r"curl |tail ": "goes on with another example; tests/producer/http sends the same requests",
    r"(DIGITMILL_METRICS_PORT=9464 )?digitmill (up|serve)\b": "listens or starts a mill until Ctrl-C; tests of both do",
    r"DIGITMILL_METRICS_PORT=9464 .*worker\.exporter": "needs a Redis elsewhere; tests/worker/exporter runs it",
    r"python -P -m worker": "needs a Redis elsewhere; every test with a mill runs it",
    r"python -m model\.": "trains for minutes; tests/model/training and tests/model/evaluation run it",
    r"digitmill teach --confirm": "needs images that are held back; test_teaching.py has some",
    r"digitmill demo$": "classifies 10,000 images; test_running.py runs it",
    r"digitmill status --watch$": "needs a terminal; test_terminal.py gives it one",
    r"digitmill watch /mnt/scanner": "names a folder that no machine has; test_watching.py polls",
    r"digitmill submit mnist$": "classifies 10,000 images; test_commands.py runs it with a small MNIST",
}
"""Patterns of the beginnings of examples that do not run here, and why."""

ENDLESS = re.compile(r"digitmill (watch|logs .*--follow|train --follow)")
"""Commands that go on until Ctrl-C, or until something happens that does not happen here."""


def commands(group: click.Group) -> Iterator[click.Command]:
    """Yield a group, all commands in it, and those of its groups."""
    yield group
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        if isinstance(command, click.Group):
            yield from commands(command)
        elif command:
            yield command


def examples() -> list[str]:
    """Return all examples, each once and without its comment."""
    lines: list[str] = []
    for command in commands(main):
        found = re.search(r"Examples?:\n((?: +\S.*\n?)+)", command.help or "")
        lines += found[1].splitlines() if found else []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        for kind, body in re.findall(r"^```(sh|console)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            lines += [line[2:] for line in body.splitlines() if line.startswith("$ ")]
            lines += body.splitlines() if kind == "sh" else []
    bare = (re.sub(r"\s+#.*", "", line).strip() for line in lines)
    return list(dict.fromkeys(filter(None, bare)))


@pytest.fixture(scope="module")
def mill(start_mill_in, tmp_path_factory):
    """A mill with a worker, whose models may change."""
    with start_mill_in(tmp_path_factory.mktemp("examples"), 1) as running:
        yield running


@pytest.fixture(scope="module")
def workshop(tmp_path_factory, digits, png, variant):
    """A folder with everything that the examples name."""
    folder = tmp_path_factory.mktemp("workshop")
    labels = digits.labels.tolist()

    def draw(name, digit, number=0):
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(png(digits.images[[index for index, label in enumerate(labels) if label == digit][number]]))

    for name, digit in {"seven": 7, "eight": 8}.items():
        for ending in ("png", "jpg"):  # the content says what a file is
            draw(f"{name}.{ending}", digit)
    for name in ("word.png", "scans/one.png", "scans/two.jpg", "monday/3/one.png", "inbox/one.png", "zeros/0/zero.png"):
        draw(name, 3)
    for name in ("corrections/3/blot.png", "corrections/3/other.png"):
        draw(name, 3, number=3)
    for name in ("meter.jpg", "meters/one.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(png(number_picture(digits, "42")))
    for archive, source in {"tuesday.zip": "monday", "scans.zip": "scans", "sevens.zip": "scans"}.items():
        with zipfile.ZipFile(folder / archive, "w") as file:
            for path in sorted((folder / source).rglob("*.*")):
                file.write(path, path.relative_to(folder / source))
    (folder / "truth.csv").write_text("name,label\none.png,3\ntwo.jpg,3\n")
    (folder / "readings.csv").write_text("name,label\none.png,42\n")
    for name in ("corrections.csv", "corrections-2.csv"):
        (folder / name).write_text(f"name,label,path\none.png,3,{folder}/scans/one.png\n")
    (folder / ".env").write_text("".join(f"{user.password_variable}=secret\n" for user in RedisUser))
    write_model(folder / "my-model", *variant("soft"))
    (folder / "cache").mkdir()
    (folder / "cache" / NPZ).write_bytes(b"x")
    return folder


@pytest.fixture
def digitmill(workshop, mill):
    """Run `digitmill …` in that folder, beside the mill."""
    command = CommandLine(workshop, mill.stack.url)
    command.environment["DIGITMILL_DATA"] = str(mill.settings.data)
    command.environment.pop("DISPLAY", None)  # `review` finds no browser
    return command


def test_each_reason_is_needed():
    """If a pattern of `NOT_RUN` does not fit any example, it could hide the next one."""
    for pattern in NOT_RUN:
        assert any(re.match(pattern, example) for example in examples()), pattern


RUN = [example for example in examples() if not any(re.match(pattern, example) for pattern in NOT_RUN)]


@pytest.mark.parametrize("example", RUN)
def test_an_example_runs(example, digitmill, mill, server, variant):
    """It ends with 0, or goes on until Ctrl-C."""
    prepare(example, digitmill, mill, server, variant)
    jobs = [job.identifier for job in mill.connection.ledger.jobs(little=False)]
    if "261126-0830" in example:
        example = example.replace("261126-0830", jobs[1])
    if ENDLESS.match(example):
        interrupt(example, digitmill)
        return
    output = ""
    for command in example.split(" && "):
        for step in command.split(" | "):
            if not step.startswith("redis-cli"):  # the Redis of the example
                output = run(step, digitmill, output)


def run(step, digitmill, given):
    """Run one command of a line, with what the one before it printed. Return what it prints."""
    step, _, target = step.partition(" >> ")
    with contextlib.chdir(digitmill.folder):
        expanded = [sorted(map(str, Path().glob(word))) if "*.jpg" in word else [word] for word in shlex.split(step)]
        words = list(chain.from_iterable(expanded))
    if words[0] == "digitmill":
        output = digitmill(*words[1:], given=given).output
    else:
        assert words[0] in {"find", "cp"}, step
        output = subprocess.check_output(words, cwd=digitmill.folder, text=True, encoding="utf-8")
    if target:
        (digitmill.folder / target).write_text(output)
    return output


def interrupt(example, digitmill):
    """Start a command that goes on until Ctrl-C, interrupt it when it has begun, and check that it ends in order."""
    words = shlex.split(example)
    with digitmill.start(*words[1:]) as process:
        if "watch" in words:
            eventually((digitmill.folder / f"{words[4]}.lock").exists)
        else:
            assert (process.stdout if "logs" in words else process.stderr).readline()
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) in (0, 130)
        assert "Traceback" not in process.stderr.read()


def prepare(example, digitmill, mill, server, variant):
    """Bring the mill into the state of which an example speaks."""
    QueueGate(mill.connection.client).turn(GateState.OPEN, who="test", reason="")
    if " models " in example:
        prepare_models(mill.connection.registry, mill.connection.client, variant, rolls_back="rollback" in example)
    elif "resume last" in example or "cancel last" in example:
        options = SubmitOptions(path=str(digitmill.folder / "scans"))
        create_job(mill.connection, options, "scans", mill.settings, detached=False)
    elif " last" in example:
        while [job.state for job in mill.connection.ledger.jobs(latest=2, little=False)] != [JobState.DONE] * 2:
            digitmill("submit", "scans")
    elif " teach " in example or " train " in example:
        prepare_teaching(example, digitmill)
    elif " restore " in example:
        (digitmill.folder / "mill-20261126.tar").unlink(missing_ok=True)
        digitmill("backup", "mill-20261126.tar")
        connect(server.url).flushall()
        mine = {"DIGITMILL_REDIS_URL": server.url, "DIGITMILL_DATA": str(digitmill.folder / "empty")}
        digitmill.environment |= mine
    if " backup " in example:
        (digitmill.folder / "mill-20261126.tar").unlink(missing_ok=True)
    if " logs" in example:
        digitmill.environment["DIGITMILL_REDIS_URL"] = ""  # the mill on this machine
    report = digitmill.folder / "reports" / "scans"
    shutil.rmtree(report, ignore_errors=True)
    if f"{report.name}/review.csv" in example:
        report.mkdir(parents=True)
        shutil.copy(digitmill.folder / "corrections.csv", report / "review.csv")


def prepare_models(registry, client, variant, *, rolls_back):
    """Publish three versions, the last of which is the candidate. The baseline is live, or was until a moment ago."""
    for day in (24, 25, 27):
        registry.publish(*variant(f"202611{day}", temperature=1.0 + day / 100))
    if registry.live() != registry.baseline.version:
        registry.promote(registry.baseline.version, reason="test")
    client.hset(registry_keys.ALIASES, "candidate", registry.resolve("20261127"))  # as before the last example
    if rolls_back:
        registry.promote(registry.resolve("candidate"), reason="test", canary=False)


def prepare_teaching(example, digitmill):
    """Teach something, and request a training if the example is about an open one."""
    digitmill("teach", "corrections")
    if "train --cancel" in example or "train --follow" in example:
        digitmill("train", "--anyway")
