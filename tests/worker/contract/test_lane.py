"""Facts about the lane: its messages, its bounds, and how calls and answers pass through Redis."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import RedisError, ResponseError

from model.errors import Failure, FailureCode
from model.images.limits import MAX_BYTES
from model.records import to_msgpack
from tests.support.lane import Caller
from tests.support.users import add_users, url_for
from worker.contract.connection import connect
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.lane import LANE_VERSION, MAX_CALL_IMAGES, Answer, Call, CallKind, Lane, Receiver, channels
from worker.contract.lane import keys as lane_keys
from worker.contract.lane import lane as module
from worker.contract.lane.messages import MAX_ANSWER_BYTES, MAX_CALL_BYTES
from worker.contract.protocol import line
from worker.contract.registry import LIVE
from worker.contract.users import RedisUser
from worker.contract.wire import Batch, Result

CLIENT = "0123456789abcdef" * 2
ONE = Batch(np.zeros((1, 28, 28), np.uint8))


def call(batch: Batch = ONE, *, number: int = 1, deadline: int = 10**14, deaths: int = 0) -> bytes:
    """Return an encoded call."""
    return Call(CLIENT, number, deadline, LIVE, deaths, batch).to_wire()


@given(
    number=st.integers(0, 10**15),
    deadline=st.integers(0, 10**15),
    deaths=st.integers(0, 10),
    files=st.lists(st.binary(max_size=40), min_size=1, max_size=MAX_CALL_IMAGES),
    arrays=st.integers(0, MAX_CALL_IMAGES),
    several=st.booleans(),
    counted=st.booleans(),
)
def test_a_call_arrives_as_it_was_sent(number, deadline, deaths, files, arrays, several, counted):
    """Arrays and files do, with every field of the call."""
    images = np.full((arrays, 28, 28), number % 256, np.uint8) if arrays else tuple(files)
    sent = Call(CLIENT, number, deadline, LIVE, deaths, Batch(images, True, several), counted)
    came = Call.from_wire(sent.to_wire())
    assert came.kind is (CallKind.ARRAYS if arrays else CallKind.FILES)
    assert np.array_equal(came.batch.images, images) if arrays else came.batch.images == images
    fields = ("client", "number", "deadline", "model", "deaths", "kind", "counted")
    assert [getattr(came, field) for field in fields] == [getattr(sent, field) for field in fields]
    assert (came.batch.probabilities, came.batch.several) == (True, several)


@given(count=st.integers(1, 5), problem=st.text(max_size=1200), died=st.booleans(), blamed=st.booleans())
def test_an_answer_arrives_as_it_was_sent(count, problem, died, blamed):
    """A long sentence is cut."""
    result = Result.failed(count, Failure(FailureCode.BLANK, "x"), worker="w")
    came = Answer.from_wire(Answer(7, result, beside_jobs=died).to_wire())
    assert came.beside_jobs is died
    assert came.result is not None
    assert (came.number, len(came.result), came.result.failures) == (7, count, result.failures)
    came = Answer.from_wire(Answer(8, None, problem, died, blamed).to_wire())
    assert (came.number, came.result, came.problem) == (8, None, problem[:1000])
    assert (came.died, came.blamed) == (died, died and blamed)


@given(data=st.binary(max_size=200), place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_only_one_error_comes_of_damaged_messages(data, place, byte):
    """Whoever can write to Redis may have written anything. What reads as a message is within the bounds."""
    whole = call()
    changed = bytearray(whole)
    changed[place % len(whole)] = byte
    for text in (data, bytes(changed), whole[: place % len(whole)]):
        for kind in (Call, Answer):
            try:
                came = kind.from_wire(text)
            except WireError:
                continue
            if isinstance(came, Call):
                assert 0 < len(came.batch) <= MAX_CALL_IMAGES


@pytest.mark.parametrize(
    "fields",
    [
        {"client": "x"},
        {"client": CLIENT + "\n"},
        {"number": -1},
        {"number": 2**62},
        {"deadline": -1},
        {"model": "../live"},
        {"deaths": -1},
        {"batch": Batch(np.zeros((0, 28, 28), np.uint8)).to_wire()},
        {"batch": Batch(np.zeros((MAX_CALL_IMAGES + 1, 28, 28), np.uint8)).to_wire()},
        {"batch": b"damaged"},
    ],
    ids=str,
)
def test_a_call_out_of_its_bounds_is_refused(fields):
    """No field of it is used."""
    good = {"client": CLIENT, "number": 1, "deadline": 1, "model": LIVE, "deaths": 0, "batch": ONE.to_wire()}
    Call.from_wire(to_msgpack(good, version=LANE_VERSION))
    with pytest.raises(WireError):
        Call.from_wire(to_msgpack({**good, **fields}, version=LANE_VERSION))


def test_a_message_of_another_format_is_named():
    """The error says which formats there are."""
    with pytest.raises(UnknownFormat, match=r"format 9.* format 1"):
        Call.from_wire(to_msgpack({"client": CLIENT}, version=9))


def test_calls_pass_in_order_and_answers_reach_their_client(client):
    """One exchange sends an answer and takes the next call. A client waits no longer than it says."""
    lane, receiver = Caller(client, CLIENT), Receiver(client, CallKind.ARRAYS)
    first, second = lane.send(CallKind.ARRAYS, call(number=1)), lane.send(CallKind.ARRAYS, call(number=2))
    assert (first.sequence, second.sequence) == (1, 2)
    taken, now = receiver.exchange([], 1)
    assert abs(now - first.now) < 60_000
    assert taken is not None
    assert Call.from_wire(taken).number == 1
    taken, _ = receiver.exchange([(CLIENT, b"answer")], 1)
    assert taken is not None
    assert Call.from_wire(taken).number == 2
    assert lane.next_answer(1) == b"answer"
    assert lane.next_answer(0.01) is None
    assert receiver.exchange([], 0.01)[0] is None


def test_several_calls_may_travel_before_the_first_reply_is_read(client):
    """The replies come in order, also after Redis has lost the script."""
    lane, receiver = Lane(client), Receiver(client, CallKind.ARRAYS)
    client.script_flush()
    for number in range(3):
        lane.post(CallKind.ARRAYS, call(number=number))
    assert [lane.posted().sequence for _ in range(3)] == [1, 2, 3]
    lane.post(CallKind.ARRAYS, call(number=3))
    assert lane.posted().sequence == 4
    taken = [receiver.exchange([], 1)[0] for _ in range(4)]
    assert [Call.from_wire(each).number for each in taken if each] == [0, 1, 2, 3]


def test_a_connection_that_redis_closed_meanwhile_costs_no_call(client, monkeypatch):
    """Redis may close what is idle, and a program may send an image only now and then."""
    lane = Lane(client)
    lane.post(CallKind.ARRAYS, call())
    assert lane.posted().sequence == 1
    client.client_kill_filter(_type="normal", skipme=True)
    monkeypatch.setattr(line, "IDLE_SECONDS", 0.0)
    lane.post(CallKind.ARRAYS, call())
    assert lane.posted().sequence == 2


def test_a_lost_connection_costs_all_replies_that_were_not_read(client):
    """Whoever sends knows then that nothing is known about these calls."""
    lane = Lane(client)
    lane.post(CallKind.ARRAYS, call())
    client.client_kill_filter(_type="normal", skipme=True)

    def posted():
        for _ in range(2):  # the first reply may have come before the end
            lane.post(CallKind.ARRAYS, call())
            lane.posted()

    with pytest.raises(RedisError):
        posted()
    lane.post(CallKind.ARRAYS, call())
    assert lane.posted().sequence > 0


def test_a_client_listens_again_after_its_connection_was_lost(client):
    """What came in the meantime is lost, and what comes afterwards is not."""
    lane = Caller(client, CLIENT)
    client.client_kill_filter(_type="pubsub")
    with pytest.raises(RedisError):
        lane.next_answer(5)
    lane.answer(CLIENT, b"lost")
    assert lane.next_answer(0.01) is None
    lane.answer(CLIENT, b"answer")
    assert lane.next_answer(5) == b"answer"


def test_an_answer_waits_for_a_client_that_is_busy(client, monkeypatch):
    """A callback of its future may take long."""
    monkeypatch.setattr(line, "IDLE_SECONDS", 0.0)
    lane = Caller(client, CLIENT)
    lane.answer(CLIENT, b"first")
    lane.answer(CLIENT, b"second")
    time.sleep(0.1)
    assert [lane.next_answer(5), lane.next_answer(5)] == [b"first", b"second"]


def test_a_client_notices_a_connection_on_which_redis_is_silent(client, monkeypatch):
    """After a while it asks Redis, and connects again if Redis does not reply."""
    monkeypatch.setattr(module, "SILENT_SECONDS", 0.05)
    lane = Caller(client, CLIENT)
    assert lane.next_answer(0.5) is None  # each question was answered
    client.client_pause(1500)  # Redis executes nothing for this long
    with pytest.raises(RedisError, match="listening"):
        lane.next_answer(1)


def test_a_worker_without_the_right_to_no_reply_reads_the_replies(server, client):
    """Rights may be those of another version."""
    add_users(client)
    client.execute_command("ACL", "SETUSER", RedisUser.WORKER, "-client")
    worker = connect(url_for(server.url, RedisUser.WORKER))
    lane, receiver = Caller(client, CLIENT), Receiver(worker, CallKind.ARRAYS)
    for number in range(3):
        lane.send(CallKind.ARRAYS, call(number=number))
        taken, _ = receiver.exchange([(CLIENT, b"answer")] * number, 1)
        assert taken is not None
        assert Call.from_wire(taken).number == number
    assert [lane.next_answer(1) for _ in range(4)] == [b"answer"] * 3 + [None]


def test_files_wait_apart_from_arrays(client):
    """A thread of a worker takes only one kind."""
    Lane(client).send(CallKind.FILES, call(Batch((b"file",))))
    assert Receiver(client, CallKind.ARRAYS).exchange([], 0.01)[0] is None
    assert Receiver(client, CallKind.FILES).exchange([], 0.01)[0] is not None


def test_the_standing_tells_which_calls_wait(client):
    """A client must not send a call again that nobody has taken yet. What Redis has forgotten does not wait."""
    lane, receiver = Lane(client), Receiver(client, CallKind.FILES)
    sequences = [lane.send(CallKind.FILES, call()).sequence for _ in range(3)]
    receiver.exchange([], 1)
    standing = lane.standing(CallKind.FILES)
    assert [standing.waits(sequence) for sequence in sequences] == [False, True, True]
    client.flushall()
    standing = lane.standing(CallKind.FILES)
    assert not any(standing.waits(sequence) for sequence in sequences)


def test_the_largest_file_passes():
    """It is within the bounds of the lane, with all that a call adds to it."""
    assert len(call(Batch((bytes(MAX_BYTES),)))) <= module.MAX_WAITING_BYTES


def test_the_lane_has_bounds(client, monkeypatch):
    """It refuses calls beyond a number, and sooner if they are large. One large call passes an empty lane."""
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 2**20)
    lane = Lane(client)
    large = b"x" * module.MAX_WAITING_BYTES
    assert lane.send(CallKind.FILES, large).sequence == 1
    assert lane.send(CallKind.FILES, large).sequence == 0
    assert lane.send(CallKind.FILES, b"small").sequence == 2
    pipeline = client.pipeline()
    for _ in range(module.MAX_WAITING):
        pipeline.lpush(lane_keys.CALLS[CallKind.ARRAYS], "x")
    pipeline.execute()
    assert lane.send(CallKind.ARRAYS, b"small").sequence == 0


def test_redis_keeps_no_answers(client):
    """Nobody may listen, because a client may have died."""
    Receiver(client, CallKind.ARRAYS).exchange([(CLIENT, b"answer")], 0.001)
    Lane(client).answer(CLIENT, b"answer")
    assert client.keys("*") == []


@pytest.mark.parametrize("garbage", ["set", "text in the counter"])
def test_what_others_wrote_over_the_lane_does_not_stop_it(client, garbage):
    """The next call removes a key of another type, and replaces a counter that is not a number."""
    lane, key = Lane(client), lane_keys.CALLS[CallKind.ARRAYS]
    if garbage == "set":
        client.sadd(key, "x")
    else:
        client.hset(lane_keys.SENT, CallKind.ARRAYS, "x")
        assert lane.standing(CallKind.ARRAYS).sent == 0
    assert lane.send(CallKind.ARRAYS, call()).sequence == 1
    assert Receiver(client, CallKind.ARRAYS).exchange([], 1)[0] == call()


def test_a_failed_exchange_leaves_no_reply_to_the_next_one(server, client, monkeypatch):
    """A Redis that is busy refuses to tell the time and to give a call. Afterwards each call comes at once."""
    monkeypatch.setattr(module, "CLOCK_SECONDS", 0.0)  # each exchange asks for the time
    lane, receiver = Lane(client), Receiver(client, CallKind.ARRAYS)
    receiver.exchange([], 0.01)
    client.config_set("lua-time-limit", 1)
    with ThreadPoolExecutor(1) as pool:
        busy = pool.submit(connect(server.url).eval, "while true do end", 0)
        with contextlib.suppress(ResponseError):
            while not busy.done():
                client.ping()
        with pytest.raises(ResponseError, match="BUSY"):
            receiver.exchange([(CLIENT, b"answer")], 0.01)
        client.script_kill()
        assert isinstance(busy.exception(), ResponseError)
    client.config_set("lua-time-limit", 5000)
    for number in range(3):
        lane.send(CallKind.ARRAYS, call(number=number))
        taken, _ = receiver.exchange([], 1)
        assert taken is not None
        assert Call.from_wire(taken).number == number


def test_what_is_larger_than_any_message_is_not_read(client):
    """Neither as a call nor as an answer. The next one is."""
    caller, receiver = Caller(client, CLIENT), Receiver(client, CallKind.FILES)
    client.lpush(lane_keys.CALLS[CallKind.FILES], bytes(MAX_CALL_BYTES + 1))
    with pytest.raises(RedisError, match="at most"):
        receiver.exchange([], 1)
    client.lpush(lane_keys.CALLS[CallKind.FILES], b"small")
    assert receiver.exchange([], 1)[0] == b"small"
    client.config_set("client-output-buffer-limit", "pubsub 0 0 0")
    client.publish(channels.answers(CLIENT), bytes(MAX_ANSWER_BYTES + 1))
    client.config_set("client-output-buffer-limit", "pubsub 32mb 8mb 60")
    with pytest.raises(RedisError, match="at most"):
        caller.next_answer(5)
    assert caller.next_answer(0.1) is None  # it connects again
    client.publish(channels.answers(CLIENT), b"small")
    assert caller.next_answer(5) == b"small"


def test_the_users_of_redis_may_use_the_lane(server, client):
    """A submitter sends and takes its answers, and a worker does the reverse, with the rights of their roles."""
    add_users(client)
    submitter, worker = (connect(url_for(server.url, user)) for user in (RedisUser.SUBMITTER, RedisUser.WORKER))
    lane = Caller(submitter, CLIENT)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(Receiver(worker, CallKind.ARRAYS).exchange, [], 10)
        sequence = lane.send(CallKind.ARRAYS, call()).sequence
        assert taken.result()[0] == call()
    assert lane.standing(CallKind.ARRAYS).waits(sequence) is False
    Lane(worker).answer(CLIENT, b"answer")
    assert lane.next_answer(5) == b"answer"
