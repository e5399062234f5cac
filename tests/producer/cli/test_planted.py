"""Whoever can write to Redis, or name a file, controls neither the terminal of a user nor a spreadsheet."""

import csv
import hashlib
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import msgpack
import numpy as np
import pytest

from model.cards.card import BASELINE, Card, read_file
from model.errors import Failure, FailureCode
from model.training.options import TrainingOptions
from producer.mill.finding import open_mill
from producer.mill.stack import Stack
from tests.support.command import run_here
from worker.contract.ledger import Part, Verdict
from worker.contract.teaching import LabelChange, Teaching
from worker.contract.training import Schedule, Trainings
from worker.contract.wire import Result
from worker.settings import Settings

MARK = "PLANTED"
"""Text in records and names that are written as usual. Afterwards hostile text replaces it wherever Redis has it."""

HOSTILE = "=\x1b]0;x\x07\x1b[2J[red]\u202e\nok\r\x9b31m\x7f<b>"
"""A formula; a title, a cleared screen and a colour for terminals; markup of Rich; reversed text; new lines; HTML."""

OURS = re.compile(r"\x1b\[[0-9;]*m|[…×–−█▀·]")
"""What digitmill itself prints beside ASCII: colours and a few signs."""

UNSAFE = re.compile(r"[^\x20-\x7e\n]")
"""Everything else that is not plain ASCII. No record and no name of this test has a harmless character beyond it."""


def planted(value: bytes) -> bytes:
    """Return a value of Redis with the hostile text for each mark: in JSON, in msgpack, or as it is."""

    def changed(part):
        if isinstance(part, str):
            return part.replace(MARK, HOSTILE)
        if isinstance(part, bytes):
            return planted(part)
        if isinstance(part, list):
            return [changed(each) for each in part]
        if isinstance(part, dict):
            return {changed(key): changed(each) for key, each in part.items()}
        return part

    if MARK.encode() not in value:
        return value
    try:
        return json.dumps(changed(json.loads(value))).encode()
    except ValueError:
        pass
    try:
        return bytes(msgpack.packb(changed(msgpack.unpackb(value, strict_map_key=False))))
    except (ValueError, msgpack.UnpackException):
        return value.replace(MARK.encode(), HOSTILE.encode())


def plant(client) -> int:
    """Put the hostile text in the place of each mark in Redis, in values, fields and keys. Return how many changed."""
    count = 0
    for key in client.keys("*"):
        count += PLANTERS[client.type(key).decode()](client, key)
        if MARK.encode() in key:
            client.rename(key, planted(key))
            count += 1
    return count


def _in_string(client, key) -> int:
    old = client.get(key)
    client.set(key, planted(old), keepttl=True)
    return bool(old != planted(old))


def _in_hash(client, key) -> int:
    before = client.hgetall(key)
    sums = {_sha256(old): _sha256(planted(old)) for old in before.values()}  # as whoever can write would do
    after = {planted(field): sums.get(old, planted(old)) for field, old in before.items()}
    client.hdel(key, *before)
    client.hset(key, mapping=after)
    return bool(before != after)


def _in_list(client, key) -> int:
    before = client.lrange(key, 0, -1)
    for index, old in enumerate(before):
        client.lset(key, index, planted(old))
    return bool(before != client.lrange(key, 0, -1))


def _in_sorted_set(client, key) -> int:
    before = dict(client.zrange(key, 0, -1, withscores=True))
    after = {planted(member): score for member, score in before.items()}
    client.zrem(key, *before)
    client.zadd(key, after)
    return bool(before != after)


def _in_set(client, key) -> int:
    before = client.smembers(key)
    client.srem(key, *before)
    client.sadd(key, *map(planted, before))
    return bool(before != client.smembers(key))


PLANTERS = {"string": _in_string, "hash": _in_hash, "list": _in_list, "zset": _in_sorted_set, "set": _in_set}


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).hexdigest().encode()


@pytest.fixture(scope="module")
def command(tmp_path_factory, digits, png):
    """Run a command beside a Redis in which everything that has a text has a hostile one. Return the result."""
    folder = tmp_path_factory.mktemp("planted")
    images = folder / "images"
    images.mkdir()
    names = [f"{MARK}{index}.png" for index in range(3)]
    for index, name in enumerate(names):
        (images / name).write_bytes(png(digits.images[index]))
    with Stack(folder / "server", 0) as stack:
        environment = {
            "DIGITMILL_REDIS_URL": stack.url,
            "DIGITMILL_DATA": str(folder / "data"),
            "DIGITMILL_MNIST": None,
            "DIGITMILL_OFFLINE": "1",
        }

        def run(*arguments: str):
            return run_here(*arguments, **environment)

        settings = Settings.from_environment({"DIGITMILL_REDIS_URL": stack.url})
        connection = open_mill(stack.url, settings)
        _fill(connection, run, images, digits)
        assert plant(connection.client) > 10
        for name in names:
            (images / name).rename(images / name.replace(MARK, HOSTILE))
        yield run, images


def _fill(connection, run, images: Path, digits) -> None:
    """Put a job, workers, a version, a training, taught images and a schedule into Redis, all with marks."""
    ledger, registry, client = connection.ledger, connection.registry, connection.client
    sent = run("submit", str(images), "--detach", "--json")
    assert sent.exit_code == 0, sent.output
    job = json.loads(sent.stdout)["job"]
    claim = ledger.claim(Part(job, 0, 0, 3), token=job, holder=MARK, lease_seconds=60)
    assert claim.verdict is Verdict.WORK
    failures = {1: Failure(FailureCode.BROKEN, MARK)}
    answers = np.array([1, 2, 3], np.uint8), np.array([0.9, 0.1, 0.2], np.float32)
    assert ledger.finish(claim, Result(MARK, MARK, *answers, None, failures))
    ledger.record_problem(job, MARK)
    facts = {"ready": 1, "model": MARK, "model_fault": MARK, "images": 3, "started": time.time(), "process": 1}
    ledger.announce(MARK, facts, ttl_seconds=600)
    card = Card.read(BASELINE)
    version = replace(card, version=f"{MARK}-1", parent=MARK, temperature=2.0, data=replace(card.data, name=MARK))
    registry.publish(version, {name: read_file(BASELINE, card, name) for name in card.files})
    registry.promote(version.version, reason=MARK, who=MARK)
    registry.rollback(reason=MARK, who=MARK)
    trainings = Trainings(client)
    trainings.ask("261125-111213-abc", TrainingOptions(data="samples"), who=MARK)
    trainings.announce(MARK)
    training = trainings.claim(holder=MARK, lease_seconds=600)
    assert training
    trainings.renew(training, lease_seconds=600, stage=MARK, epoch=1, epochs=2, accuracy=0.5)
    schedule = Schedule(client)
    schedule.begin("0 3 * * *")
    schedule.announce(MARK, "0 3 * * *", time.time() + 60)
    schedule.handled(MARK)
    Teaching(client).send([LabelChange.of(digits.images[0], 3, MARK, time.time())])


COMMANDS = [
    "jobs",
    "show last",
    "status",
    "wait last --timeout 0",
    "report last --out OUT",
    "cancel last",
    "models list",
    "models show live",
    "models show candidate",
    "models show previous",
    "models compare candidate live",
    "models promote candidate",
    "models rollback",
    "models pull candidate --out OUT",
    "teach --list",
    "teach --remove aaaa",
    "train",
    "submit IMAGES --dry-run",
    "teach IMAGES --dry-run",
]


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
def test_no_command_prints_what_controls_a_terminal(command, tmp_path, line, as_json):
    """Whatever records and names say, an output has printable characters, and only the colours that digitmill gives."""
    run, images = command
    words = {"OUT": str(tmp_path / "out"), "IMAGES": str(images)}
    arguments = [words.get(word, word) for word in line.split()] + ["--json"] * as_json
    done = run(*arguments)
    text = done.output
    assert done.exit_code != 70, text
    assert "Traceback" not in text
    unsafe = UNSAFE.findall(OURS.sub("", text))
    assert unsafe == [], text
    assert "\x1b[2J" not in text
    assert not re.search(r"^ok", text, re.MULTILINE), "a forged line"


def test_a_report_neither_hides_nor_runs_what_was_planted(command, tmp_path):
    """No cell of the tables begins like a formula, and the page has neither the tag nor the marks that reorder text."""
    run, _ = command
    run("report", "last", "--out", str(tmp_path / "out"))
    for table in ("predictions.csv", "errors.csv", "review.csv"):
        with (tmp_path / "out" / table).open(encoding="utf-8", newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert len(cells) > 3
        assert [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))] == []
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "]0;x" in page, "the names are there"
    assert "<b>" not in page
    assert [character for character in page if not character.isprintable() and character not in "\n\xa0"] == []


def test_an_argument_that_looks_like_an_option_is_printable():
    """`digitmill classify *` passes on the names that others have given to files."""
    done = run_here("classify", "--\x1b]0;x\x07\u202e", DIGITMILL_OFFLINE="1")
    assert done.exit_code == 2
    assert "--\\x1b]0;x\\x07\\u202e" in done.output
    assert "\x1b" not in done.output
