"""Facts about the answers of each day, as Redis keeps them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.drift import EVEN, answers, write_days
from worker.contract.drift import AnswerDays, DayCounts, keys
from worker.contract.drift.days import DAYS_KEPT
from worker.contract.errors import WireError

if TYPE_CHECKING:
    import redis

KEY = keys.days("v-1")


@pytest.fixture
def days(client: "redis.Redis") -> AnswerDays:
    """What Redis keeps. Nothing was answered yet."""
    return AnswerDays(client)


def test_an_image_counts_with_its_digit_its_confidence_and_whether_it_is_for_review() -> None:
    """It is for review below the threshold, or if its picture gives a reason for doubt."""
    digits, confidences = np.array([7, 7, 0], np.uint8), np.array([0.5, 1.0, 0.9], np.float32)
    counts = DayCounts.of(digits, confidences, np.array([False, True, False]))
    assert (counts.images, counts.review, counts.confidence, counts.squares) == (3, 2, 2400, 2060)
    assert counts.digits == (1, 0, 0, 0, 0, 0, 0, 2, 0, 0)
    assert counts + counts == DayCounts.of(np.tile(digits, 2), np.tile(confidences, 2), np.array([0, 1, 0] * 2, bool))


def test_what_workers_count_is_added_to_today(client: "redis.Redis", days: AnswerDays) -> None:
    """Two workers add to the same day, which is that of Redis' clock in UTC."""
    assert days.read("v-1") == {}
    days.count("v-1", answers(100))
    days.count("v-1", answers(200, unsure=0.5))
    today = datetime.fromtimestamp(int(client.time()[0]), UTC).date()
    found = days.read("v-1")
    assert list(found) == [today]
    assert found[today] == answers(100) + answers(200, unsure=0.5)
    assert days.read("v-2") == {}
    assert 0 < client.pttl(KEY) <= DAYS_KEPT * 86_400_000


def test_days_without_answers_are_left_out(client: "redis.Redis", days: AnswerDays) -> None:
    """The others come in order, whatever the order in Redis."""
    write_days(client, "v-1", [answers(300), DayCounts(), answers(200)])
    first, last = days.read("v-1")
    assert last - first == timedelta(days=2)
    assert [counts.images for counts in days.read("v-1").values()] == [300, 200]


def test_only_four_weeks_are_kept(client: "redis.Redis", days: AnswerDays) -> None:
    """The first answer of a day drops what is older, what is in the future, and what is not a day."""
    write_days(client, "v-1", [answers(100)] * (DAYS_KEPT + 3))
    today = int(client.time()[0]) // 86400
    client.hdel(KEY, keys.field(today, "images"))
    client.hset(KEY, mapping={keys.field(today + 1, "images"): 5, "nonsense": 1})
    days.count("v-1", answers(100))
    kept = {int(str(field)[2:].split(":")[0]) for field in client.hkeys(KEY)}  # b'20000:images'
    assert kept == set(range(today - DAYS_KEPT + 1, today + 1))


@pytest.mark.parametrize("text", ["-5", "many", "9" * 19])
def test_a_damaged_count_is_reported_with_the_remedy(client: "redis.Redis", days: AnswerDays, text: str) -> None:
    """It is not taken for an answer."""
    days.count("v-1", answers(100))
    client.hset(KEY, keys.field(int(client.time()[0]) // 86400, "review"), text)
    with pytest.raises(WireError, match=f"`redis-cli DEL {KEY}` clears it"):
        days.read("v-1")


def test_a_key_of_another_type_is_named_and_replaced(client: "redis.Redis", days: AnswerDays) -> None:
    """A reader changes nothing; the next count takes the key."""
    client.set(KEY, "x")
    with pytest.raises(WireError, match=KEY):
        days.read("v-1")
    assert client.get(KEY) == b"x"
    days.count("v-1", answers(100))
    assert [counts.digits for counts in days.read("v-1").values()] == [EVEN]


def test_a_very_long_count_is_not_fetched(client: "redis.Redis", days: AnswerDays) -> None:
    """It counts as missing."""
    days.count("v-1", answers(100))
    client.hset(KEY, keys.field(int(client.time()[0]) // 86400, "review"), "1" * 10**6)
    assert [counts.review for counts in days.read("v-1").values()] == [0]
