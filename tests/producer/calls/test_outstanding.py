"""Facts about the calls of a client that are not answered yet, without threads, Redis or a clock that runs."""

from concurrent.futures import Future

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from numpy.typing import NDArray

from producer.calls import outstanding as module
from producer.calls.outstanding import MAX_DEATHS, WINDOW, Message, Outstanding, PendingCall
from worker.contract.lane import MAX_CALL_IMAGES, CallKind
from worker.contract.validation.identifiers import LIVE

ARRAY = np.zeros((28, 28), np.uint8)
LARGE = bytes(module.MAX_FILE_BYTES)


def call(content=ARRAY, *, since=0.0, deadline=1000.0, **asked):
    """Return a call."""
    return PendingCall(content, Future(), since, deadline, **asked)


def add(calls, count, content=ARRAY, **options):
    """Add some calls, and return them."""
    added = [call(content, **options) for _ in range(count)]
    for each in added:
        calls.add(each)
    return added


@pytest.fixture
def calls():
    """The calls of a client, of which there are none."""
    return Outstanding()


def test_a_call_waits_for_others_only_while_others_are_outstanding(calls):
    """The first goes at once. The next ones go together, a moment later."""
    add(calls, 1)
    first = calls.next_message(0.0)
    calls.sent(first, 1, 0.0)
    second = add(calls, 2, since=5.0)
    assert calls.next_message(5.0) is None
    assert calls.act_at(0.0) == min(5.0 + module.LINGER_SECONDS, first.act_at)
    assert calls.next_message(5.0 + module.LINGER_SECONDS).calls == second
    third = add(calls, 1, since=6.0)
    assert calls.next_message(6.0) is None
    for number in (first.number, first.number + 1, first.number + 2, first.number + 3):
        calls.finish(calls.answered(number, 10))
    assert calls.next_message(6.0).calls == third, "nothing is outstanding any more"


def test_images_wait_longer_while_many_messages_are_outstanding(calls):
    """They travel together as soon as an answer comes, because workers have enough to do until then."""
    messages = []
    for number in range(module.BUSY_MESSAGES):
        add(calls, 1, since=float(number))
        messages.append(calls.next_message(number + module.LINGER_SECONDS))
        calls.sent(messages[-1], 1, number)
    waiting = add(calls, 3, since=10.0)
    assert calls.next_message(10.0 + module.LINGER_SECONDS) is None
    assert calls.next_message(10.0 + module.BUSY_LINGER_SECONDS).calls == waiting
    waiting = add(calls, 3, since=20.0)
    for message in messages[:2]:
        calls.finish(calls.answered(message.number, 1))
    assert calls.next_message(20.0 + module.LINGER_SECONDS).calls == waiting


def test_images_wait_longer_while_many_images_are_outstanding(calls):
    """Also if they are in one message, unless that is not in the lane."""
    add(calls, module.BUSY_IMAGES)
    message = calls.next_message(0.0)
    calls.sent(message, 1, 0.0)
    waiting = add(calls, 3, since=10.0)
    assert calls.next_message(10.0 + module.LINGER_SECONDS) is None
    assert calls.act_at(10.0) == message.act_at
    assert calls.next_message(10.0 + module.BUSY_LINGER_SECONDS).calls == waiting
    add(calls, 1, since=20.0)
    calls.refused(message.number, 20.0, "no model")
    assert len(calls.next_message(20.0 + module.LINGER_SECONDS).calls) == 1


def test_images_share_messages_while_workers_classify_jobs(calls):
    """One message goes at once, the next ones only some milliseconds after the one before. Many images do not wait."""
    calls.note_jobs(10.0)
    add(calls, 1, since=10.0)
    first = calls.next_message(10.0)
    calls.finish(calls.answered(first.number, 1))
    ready = 10.0 + module.BESIDE_JOBS_SECONDS
    assert calls.act_at(10.0) == ready
    due = [calls.add(call(since=10.0 + module.BESIDE_JOBS_SECONDS * part / 4)) for part in (1, 2, 3)]
    assert due == [ready] * 3
    assert calls.next_message(ready - 0.001) is None
    assert len(calls.next_message(ready).calls) == 3
    many = add(calls, module.BESIDE_JOBS_IMAGES, since=ready)
    assert calls.next_message(ready + module.LINGER_SECONDS).calls == many


def test_images_are_not_held_up_after_the_jobs(calls):
    """If no answer says for a while that there are jobs, there are none."""
    calls.note_jobs(10.0)
    later = 10.0 + module.JOBS_SECONDS
    for since in (later, later + 0.001):
        add(calls, 1, since=since)
        calls.finish(calls.answered(calls.next_message(since).number, 1))
    assert calls.act_at(later) == 1000.0, "the deadline of the first"


def test_failed_attempts_to_send_do_not_delay_the_search_for_a_lost_message(calls):
    """Redis was away for long. Then a worker takes the message, and its answer is lost."""
    add(calls, 1)
    message = calls.next_message(0.0)
    for _ in range(10):
        message.tries += 1
        calls.not_sent(message, 0.0, "away")
        assert calls.next_message(10.0) is message
    calls.sent(message, 1, 10.0)
    calls.looked(message, 11.0, waits=False)
    assert message.act_at == 11.0 + module.GRACE_SECONDS[CallKind.ARRAYS]
    calls.looked(message, message.act_at, waits=False)
    assert calls.next_message(message.act_at) is message


def test_adding_a_call_tells_when_it_is_due(calls):
    """So a thread that sleeps until then need not be woken."""
    assert calls.add(call(since=5.0)) == 5.0
    calls.next_message(5.0)
    assert calls.add(call(since=6.0)) == 6.0 + module.LINGER_SECONDS
    assert calls.add(call(since=6.0005)) == 6.0 + module.LINGER_SECONDS
    assert calls.add(call(since=6.0, deadline=6.0001)) == 6.0001


def test_a_message_is_bounded(calls):
    """It has as many images as it may, or as many bytes of files. A large file travels alone, and at once."""
    many = add(calls, MAX_CALL_IMAGES + 1)
    assert calls.next_message(0.0).calls == many[:MAX_CALL_IMAGES]
    assert calls.next_message(1.0).calls == many[MAX_CALL_IMAGES:]
    limit = module.MAX_FILE_BYTES // 1000
    small, [large] = add(calls, 100, b"x" * 1000, since=2.0), add(calls, 1, b"x" * module.MAX_FILE_BYTES, since=2.0)
    found = [calls.next_message(3.0).calls for _ in range(2)] + [calls.next_message(2.0).calls]
    assert found == [small[:limit], small[limit:], [large]]


def test_one_client_does_not_fill_the_lane(calls):
    """It has a bounded number of messages of one kind under way, and the other kind goes on."""
    add(calls, MAX_CALL_IMAGES * (WINDOW + 2))
    messages = [calls.next_message(1.0) for _ in range(WINDOW + 1)]
    assert messages[-1] is None
    add(calls, 1, b"file")
    assert calls.next_message(1.0).kind is CallKind.FILES
    calls.finish(calls.answered(messages[0].number, MAX_CALL_IMAGES))
    assert calls.next_message(1.0).kind is CallKind.ARRAYS


def test_images_travel_only_with_those_that_ask_for_the_same(calls):
    """A message has one version and one way of reading. The group that waits longest goes first."""
    late = add(calls, 2, since=2.0, model="v2")
    numbers = add(calls, 2, since=1.0, several=True)
    plain = add(calls, 2, since=0.0)
    messages = [calls.next_message(3.0) for _ in range(3)]
    assert [message.calls for message in messages] == [plain, numbers, late]
    assert [message.group[1:] for message in messages] == [(LIVE, False), (LIVE, True), ("v2", False)]
    assert calls.next_message(3.0) is None


def test_a_version_that_cannot_answer_holds_up_no_other(calls):
    """Its messages come back again and again, and the window of the others stays open."""
    add(calls, MAX_CALL_IMAGES * (WINDOW + 2), model="broken")
    for _ in range(WINDOW):
        message = calls.next_message(1.0)
        calls.sent(message, 1, 1.0)
        calls.refused(message.number, 1.0, "it cannot be loaded")
    others = add(calls, 3, since=1.0)
    assert calls.next_message(1.0 + module.LINGER_SECONDS).calls == others


def test_nothing_is_to_be_done_for_a_message_whose_reply_is_not_read_yet(calls):
    """Otherwise the sender would not sleep until then. That is so for one that is sent again, too."""
    add(calls, 1)
    now = 0.0
    for _ in range(3):
        message = calls.next_message(now)
        assert calls.act_at(now) == 1000.0, "the deadline of the image"
        calls.not_sent(message, now, "The lane is full.")
        now = message.act_at


def test_a_message_that_waits_is_not_sent_again(calls):
    """Otherwise a busy lane would get busier. One that was taken and not answered is, later and later."""
    add(calls, 1)
    message = calls.next_message(0.0)
    calls.sent(message, 7, 0.0)
    now, sent = 0.0, []
    for _ in range(5):
        now = message.act_at
        assert calls.due(now) == [message]
        calls.looked(message, now, waits=True)
    for _ in range(3):
        while calls.due(message.act_at):
            now = message.act_at
            calls.looked(message, now, waits=False)
        assert calls.next_message(now) is message
        calls.sent(message, 8, now)
        sent.append(now)
    assert sent[2] - sent[1] > sent[1] - sent[0] > 0
    assert len(calls.answered(message.number, 1)) == 1


def test_an_answer_that_comes_twice_or_late_answers_nothing(calls):
    """Also when the message was sent again in the meantime."""
    [one] = add(calls, 1)
    message = calls.next_message(0.0)
    assert calls.answered(message.number, 1) == [one]
    calls.finish([one])
    calls.sent(message, 1, 0.0)
    assert calls.answered(message.number, 1) == []
    assert calls.answered(12345, 1) == []
    add(calls, 1)
    again = calls.next_message(0.0)
    assert calls.answered(again.number, 0) == [], "an answer without images answers nothing"
    calls.finish(calls.answered(again.number, 1))
    assert (len(calls), calls.due(1e9), calls.next_message(1e9)) == (0, [], None)


def test_images_that_an_answer_leaves_out_are_sent_again(calls):
    """A worker answers the first files of a call that takes too long."""
    added = add(calls, 5, b"file")
    message = calls.next_message(0.0)
    assert calls.answered(message.number, 2) == added[:2]
    assert calls.next_message(0.0).calls == added[2:]


def test_a_refused_message_is_sent_again_after_a_longer_and_longer_pause(calls):
    """Also if the refusal comes before the client knows that the message was sent."""
    [one] = add(calls, 1)
    message = calls.next_message(0.0)
    calls.refused(message.number, 0.0, "no such model")
    calls.sent(message, 1, 0.0)
    assert calls.next_message(0.0) is None
    pauses, now = [], 0.0
    for _ in range(8):
        pauses.append(message.act_at - now)
        now = message.act_at
        assert calls.next_message(now) is message
        calls.sent(message, 1, now)
        calls.refused(message.number, now, "no such model")
    assert pauses == sorted(pauses)
    assert pauses[0] < pauses[-1] <= module.MAX_PAUSE_SECONDS
    assert one.problem == "no such model"


def test_calls_are_given_up_at_their_deadlines(calls):
    """Those that have answers are not, and nothing is sent for the others any more."""
    soon, late = add(calls, 1, deadline=5.0), add(calls, 1, deadline=9.0)
    message = calls.next_message(1.0)
    assert calls.expired(4.9) == []
    assert calls.expired(5.0) == soon
    calls.sent(message, 1, 1.0)
    assert calls.answered(message.number, 2) == [*soon, *late], "the answers keep their places"
    calls.finish(late)
    assert (calls.expired(100.0), len(calls)) == ([], 0)


def test_calls_that_are_done_do_not_pile_up_behind_a_slow_one(calls):
    """A client may send millions of images while one is not answered."""
    add(calls, 1, b"slow")
    calls.next_message(0.0)
    for _ in range(5000):
        calls.finish(add(calls, 1))
    assert len(calls._deadlines) <= 2 + MAX_CALL_IMAGES + 1


def test_an_image_that_ends_processes_is_found_and_quarantined(calls):
    """Its neighbours are answered. It ends three processes, the last time alone."""
    added = add(calls, 50, b"file")
    poison, deaths, answered, quarantined = added[13], 0, [], []
    while len(calls):
        message = calls.next_message(1.0)
        if poison in message.calls:
            deaths += 1
            found = calls.died(message.number, 1.0, blamed=True)
        else:
            found = calls.answered(message.number, len(message.calls))
            answered += found
        quarantined += [each for each in found if poison in message.calls]
        calls.finish(found)
    assert (deaths, quarantined) == (MAX_DEATHS, [poison])
    assert sorted(answered, key=added.index) == [each for each in added if each is not poison]


def test_a_death_without_blame_does_not_count(calls):
    """Somebody killed the process while it loaded a model, for example."""
    [one] = add(calls, 1)
    for _ in range(10):
        message = calls.next_message(1.0)
        assert message.calls == [one]
        assert calls.died(message.number, 1.0, blamed=False) == []
        assert message.deaths == 0


class Anything(RuleBasedStateMachine):
    """Messages are lost, doubled, refused and answered in part, and processes die. No call is lost, none ends twice."""

    def __init__(self) -> None:
        super().__init__()
        self.calls, self.now = Outstanding(), 0.0
        self.added: list[PendingCall] = []
        self.ended: list[PendingCall] = []
        self.poison: set[int] = set()
        self.deaths: dict[int, int] = {}
        self.taken: list[Message] = []  # their answers may come at any time, and more than once

    def _end(self, found: list[PendingCall]) -> None:
        self.ended += self.calls.finish(found)

    def _answer(self, message: Message, count: int) -> None:
        if any(id(each) in self.poison for each in message.calls if not each.done):
            for each in message.calls:
                self.deaths[id(each)] = self.deaths.get(id(each), 0) + (not message.done)
            self._end(self.calls.died(message.number, self.now, blamed=True))
        else:
            self._end(self.calls.answered(message.number, count))

    @rule(
        count=st.integers(1, 4),
        content=st.sampled_from([b"f", LARGE, ARRAY]),
        several=st.booleans(),
        bad=st.booleans(),
    )
    def add(self, count: int, content: "bytes | NDArray[np.uint8]", several: bool, bad: bool) -> None:
        """Add calls, of which the first may end processes."""
        added = add(self.calls, count, content, since=self.now, deadline=self.now + 500, several=several)
        self.added += added
        if bad and len(self.poison) < 2:
            self.poison.add(id(added[0]))

    @rule()
    def send(self) -> None:
        """Send what is ready."""
        self._send()

    def _send(self) -> "Message | None":
        message = self.calls.next_message(self.now)
        if message is not None:
            assert 0 < len(message.calls) <= MAX_CALL_IMAGES
            assert {each.group for each in message.calls} == {message.group}
            self.calls.sent(message, 1, self.now)
            self.taken.append(message)
        return message

    @rule()
    def fail_to_send(self) -> None:
        """Find the lane full."""
        message = self.calls.next_message(self.now)
        if message is not None:
            self.calls.not_sent(message, self.now, "full")

    @precondition(lambda self: self.taken)
    @rule(data=st.data(), what=st.sampled_from(["answer", "answer a part", "refuse", "lose"]))
    def end_message(self, data: st.DataObject, what: str) -> None:
        """Let a worker do something with a message."""
        message = data.draw(st.sampled_from(self.taken))
        match what:
            case "lose":
                self.taken.remove(message)
            case "refuse":
                self.calls.refused(message.number, self.now, "not now")
            case _:
                self._answer(message, 1 if "part" in what else len(message.calls))

    @rule(seconds=st.floats(0, 20), waits=st.booleans())
    def look(self, seconds: float, waits: bool) -> None:
        """Let time pass, look for messages, and give calls up."""
        self.now += seconds
        for each in self.calls.due(self.now):
            self.calls.looked(each, self.now, waits=waits)
        self.ended += self.calls.expired(self.now)

    def teardown(self) -> None:
        """From now on, all goes well."""
        while len(self.calls):
            self.look(0.5, waits=False)
            while (message := self._send()) is not None:
                self._answer(message, len(message.calls))
        assert len(self.ended) == len(set(map(id, self.ended))) == len(self.added)
        assert all(each.done for each in self.added)
        assert max(self.deaths.values(), default=0) <= MAX_DEATHS


TestAnything = Anything.TestCase
TestAnything.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
