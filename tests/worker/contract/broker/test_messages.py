"""Facts about what travels through Celery: what is passed on was checked, and nothing else of a message is believed."""

import contextlib
import json
from typing import Any

import pytest

from tests.support.garbage import PART, doorbell, harmless, refused
from worker.contract.broker.messages import MAX_BYTES, checked_message
from worker.contract.doorbell import Doorbell
from worker.contract.errors import WireError
from worker.contract.ledger import Part
from worker.contract.queues import CLASSIFY_QUEUE, TRAIN_QUEUE


def test_there_are_more_than_a_hundred_kinds_of_garbage() -> None:
    """For each of the two queues."""
    assert len(refused(CLASSIFY_QUEUE)) > 200
    assert len(refused(TRAIN_QUEUE)) > 200


@pytest.mark.parametrize("name", [name for name in refused() if name != "raw: a megabyte"])
def test_garbage_is_refused(name: str) -> None:
    """The error says why, in a line of bounded length."""
    with pytest.raises(WireError) as caught:
        checked_message(refused()[name], CLASSIFY_QUEUE)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("name", refused(TRAIN_QUEUE))
def test_garbage_is_refused_by_trainers_too(name: str) -> None:
    """Of whatever kind it is."""
    with pytest.raises(WireError):
        checked_message(refused(TRAIN_QUEUE)[name], TRAIN_QUEUE)


def stable(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without its identifier, which is new each time."""
    for name in ("id", "root_id"):
        del message["headers"][name]
    for name in ("correlation_id", "delivery_tag"):
        del message["properties"][name]
    return message


@pytest.mark.parametrize("name", harmless())
def test_nothing_that_is_not_checked_reaches_celery(name: str) -> None:
    """The message is made anew from its words, so what else it says is lost."""
    passed = checked_message(harmless()[name], CLASSIFY_QUEUE)
    assert stable(passed) == stable(checked_message(json.dumps(doorbell()).encode(), CLASSIFY_QUEUE))


def test_a_deep_header_does_no_harm() -> None:
    """It is refused where it is too deep for Python, which newer versions read deeper, and otherwise lost."""
    sent = doorbell()
    deep = json.dumps(sent).encode().replace(b'"stamps": {}', b'"stamps": ' + b"[" * 3000 + b"]" * 3000)
    assert len(deep) > 6000
    with contextlib.suppress(WireError):
        assert stable(checked_message(deep, CLASSIFY_QUEUE)) == stable(
            checked_message(json.dumps(sent).encode(), CLASSIFY_QUEUE)
        )


@pytest.mark.parametrize("queue", [CLASSIFY_QUEUE, TRAIN_QUEUE])
def test_digitmill_sends_what_celery_would_send(queue: str, client) -> None:
    """All fields of Celery's own message are there, except where it came from and where an answer would go.

    They are passed on as they are.
    """
    bell = Doorbell(client)
    assert bell.ring(Part.from_member(PART)) if queue == CLASSIFY_QUEUE else bell.ring_trainer()
    [raw] = client.lrange(queue, 0, -1)
    assert len(raw) < MAX_BYTES / 4
    passed, sent, by_celery = checked_message(raw, queue), json.loads(raw), doorbell(queue)
    assert passed["headers"]["id"] != sent["headers"]["id"]
    assert stable(passed) == stable(sent)
    assert json.loads(sent.pop("body")) == json.loads(by_celery.pop("body"))
    del sent["headers"]["origin"], by_celery["headers"]["origin"], by_celery["properties"]["reply_to"]
    assert sent == stable(by_celery)


def test_a_doorbell_of_another_version_reaches_the_task() -> None:
    """With all its words, because the task decides what becomes of it. Unknown words of this version are dropped."""
    words = {"version": 2, "part": "in another form", "lane": "fast", "count": 7}
    passed = checked_message(json.dumps(doorbell(words=words)).encode(), CLASSIFY_QUEUE)
    assert json.loads(passed["body"])[1] == words
    words = {"version": 1, "part": PART, "lane": "fast"}
    passed = checked_message(json.dumps(doorbell(words=words)).encode(), CLASSIFY_QUEUE)
    assert json.loads(passed["body"])[1] == {"version": 1, "part": PART}


@pytest.mark.parametrize(
    "words", [{"a": []}, {"a": {}}, {"a": "x" * 600}, {"a b": 1}, {"A": 1}, {"a" * 100: 1}, {"": 1}, {"version": "2"}]
)
def test_the_words_of_another_version_are_checked_too(words: dict[str, Any]) -> None:
    """They are names and plain values of bounded length."""
    with pytest.raises(WireError):
        checked_message(json.dumps(doorbell(words={"version": 2} | words)).encode(), CLASSIFY_QUEUE)


def test_sending_does_not_depend_on_what_is_in_redis(client) -> None:
    """Somebody else may write where kombu would look for queues."""
    client.set("_kombu.binding.digitmill", "text")
    client.set("unacked", "text")
    before = set(client.keys())
    bell = Doorbell(client)
    assert bell.ring(Part.from_member(PART))
    assert bell.ring_trainer()
    assert set(client.keys()) == before | {CLASSIFY_QUEUE.encode(), TRAIN_QUEUE.encode()}
    client.delete(CLASSIFY_QUEUE)
    client.set(CLASSIFY_QUEUE, "text")
    assert not bell.ring(Part.from_member(PART))
