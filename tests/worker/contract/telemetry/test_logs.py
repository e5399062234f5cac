"""Facts about the log of a process."""

import io
import json
import logging
from datetime import UTC, datetime

import pytest

from tests.support.clock import Clock
from worker.contract.telemetry.logs import (
    JSON,
    REPEATS,
    TEXT,
    WINDOW_SECONDS,
    JsonFormatter,
    LimitedHandler,
    about,
    make_handler,
)


@pytest.fixture
def stream():
    """What is written."""
    return io.StringIO()


@pytest.fixture
def log():
    """A logger that writes nowhere yet."""
    found = logging.getLogger("worker.test")
    found.propagate, before = False, found.level
    found.setLevel(logging.INFO)
    yield found
    found.propagate = True
    found.setLevel(before)
    found.handlers.clear()


def as_json(stream):
    """Return the lines of a log as objects."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_each_line_is_an_object_that_says_when_who_and_about_what(log, stream):
    """Whatever is in a message, it neither forges a line nor controls a terminal."""
    log.addHandler(make_handler(stream, JSON, role="worker", name="host-1"))
    with about(job="a", batch="0.0.4"), about(version="v1", nothing=""):
        log.error("batch %s\n{\x1b[2J", "é")
    log.info("all is well")
    one, two = as_json(stream)
    assert stream.getvalue().isascii()
    assert datetime.fromisoformat(one.pop("time")).tzinfo == UTC
    assert one == {
        "level": "ERROR",
        "logger": "worker.test",
        "message": "batch é\n{\x1b[2J",
        "process": "MainProcess",
        "role": "worker",
        "worker": "host-1",
        "job": "a",
        "batch": "0.0.4",
        "version": "v1",
    }
    assert "job" not in two


def test_a_traceback_is_part_of_its_line(log, stream):
    """So that a collector of logs does not cut it up."""
    log.addHandler(make_handler(stream, JSON, role="worker", name="host-1"))
    try:
        int("é")
    except ValueError:
        log.exception("failed")
    [line] = as_json(stream)
    assert line["message"] == "failed"
    assert line["exception"].startswith("Traceback")
    assert "ValueError: invalid literal" in line["exception"]


def test_text_stays_as_it_was(log, stream):
    """Time, level, process, logger and message."""
    log.addHandler(make_handler(stream, TEXT, role="worker", name="host-1"))
    log.warning("job %s", "x\ny")
    assert stream.getvalue().endswith(" WARNING MainProcess worker.test: job x\\ny\n")


def test_messages_that_repeat_are_counted_and_not_all_written(log, stream):
    """A kind of message is its template. What was left out is said when a minute is over."""
    clock = Clock()
    log.addHandler(LimitedHandler(stream, clock=clock))
    for number in range(REPEATS + 30):
        log.warning("batch %s failed", number)
    log.warning("another thing")
    for number in range(REPEATS + 1):
        log.error("%s", f"fault {number}")  # nothing but its argument says what it is about
    lines = stream.getvalue().splitlines()
    assert len(lines) == REPEATS + 1 + REPEATS + 1
    clock.now += WINDOW_SECONDS
    log.info("all is well")
    *_, summary, last = stream.getvalue().splitlines()
    assert summary == "30 more messages like this were left out within a minute: batch 49 failed"
    assert last == "all is well"
    log.warning("batch %s failed", "x")
    assert stream.getvalue().endswith("batch x failed\n")


def test_what_was_left_out_is_not_about_the_job_of_the_next_message(log, stream):
    """That message only brings it out."""
    clock = Clock()
    handler = LimitedHandler(stream, clock=clock)
    handler.setFormatter(JsonFormatter("worker", "host-1"))
    log.addHandler(handler)
    for number in range(REPEATS + 1):
        log.warning("batch %s failed", number)
    clock.now += WINDOW_SECONDS
    with about(job="a"):
        log.info("all is well")
    *_, summary, last = as_json(stream)
    assert summary["message"].startswith("1 more messages")
    assert "job" not in summary
    assert last["job"] == "a"


def test_a_message_that_cannot_be_formatted_harms_nobody(log, stream, monkeypatch):
    """Whoever logs it goes on, and so does the log."""
    monkeypatch.setattr(logging, "raiseExceptions", False)  # only tells a developer, on standard error
    log.addHandler(LimitedHandler(stream, clock=Clock()))
    log.error("%s", "one", "too many")  # noqa: PLE1205  the fault of this test
    log.error("the next one")
    assert stream.getvalue() == "the next one\n"


def test_any_number_of_kinds_takes_bounded_memory(log, stream):
    """The oldest kind is summed up when there are too many."""
    handler = LimitedHandler(stream, clock=Clock())
    log.addHandler(handler)
    for number in range(5000):
        log.error("%s", f"fault {number}")
    assert len(handler._kinds) <= 500
    assert len(stream.getvalue().splitlines()) == 5000
