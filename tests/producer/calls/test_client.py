"""Facts about the clients of the lane, with a real mill."""

import asyncio
import inspect
import io
import math
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import digitmill
from model.cards.card import BASELINE, Card
from model.inference.classifier import Classifier
from producer.calls import versions
from producer.calls.client import Client
from worker.contract.connection import connect
from worker.contract.errors import NoLane
from worker.contract.ledger import Ledger
from worker.contract.liveness import ALIVE_SECONDS
from worker.contract.registry import LIVE, Registry

VERSION = Card.read(BASELINE).version


@pytest.fixture(scope="module")
def url(mill):
    """The URL of a running mill."""
    return mill.stack.url


@pytest.fixture(scope="module")
def client(url):
    """A client of that mill."""
    with Client(url) as opened:
        yield opened


@pytest.fixture(scope="module")
def expected(digits):
    """What the model answers to the first images without a queue."""
    return Classifier.baseline().classify(digits.images[:600])


def test_an_array_in_mnists_form_is_classified_as_it_is(client, digits, expected):
    """The prediction has the digit, its confidence, all ten probabilities and the version."""
    found = client.classify(digits.images[0])
    assert (found.digit, found.model, found.error, found.doubt) == (expected.digits[0], VERSION, None, None)
    assert found.confidence == max(found.probabilities) == pytest.approx(expected.confidences[0], abs=1e-6)
    assert found.probabilities == pytest.approx(expected.probabilities[0].tolist(), abs=1e-6)
    assert found.review is False


def test_every_form_of_an_image_gets_the_same_digit(client, digits, png, tmp_path):
    """A path, bytes, a picture of Pillow, and arrays with and without colours show the same drawing."""
    picture = np.kron(255 - digits.images[0], np.ones((4, 4), np.uint8))
    file = tmp_path / "seven.png"
    file.write_bytes(png(picture))
    opaque = np.full_like(picture, 255)
    images = [
        file,
        str(file),
        png(picture),
        bytearray(png(picture)),
        memoryview(png(picture)),
        Image.fromarray(picture),
        Image.fromarray(picture).convert("P"),
        Image.fromarray(picture).convert("CMYK"),
        picture,
        picture[..., np.newaxis],
        np.dstack([picture] * 3),
        np.dstack([picture] * 3 + [opaque]),
        np.asfortranarray(picture),
        picture[::-1][::-1],
    ]
    assert [each.digit for each in client.classify_many(images)] == [7] * len(images)


def test_floats_are_read_only_if_the_caller_says_what_they_mean(url, client, digits):
    """Otherwise 0 to 1 would be black, or 0 to 255 nonsense."""
    floats = (digits.images[0] / 255).astype(np.float32)
    with pytest.raises(digitmill.InputError, match=r'floats="0\.\.1"'):
        client.classify(floats)
    with Client(url, floats="0..1") as reading:
        assert reading.classify(floats).probabilities == client.classify(digits.images[0]).probabilities
        for wrong in (floats * 2, floats - 0.5, floats * np.nan):
            with pytest.raises(digitmill.InputError, match="0 to 1"):
                reading.classify(wrong)


def test_a_picture_is_upright_as_its_file_would_be(client, digits):
    """Pillow's pictures of a camera that was held on its side say so, but do not turn themselves."""
    picture = Image.fromarray(np.kron(255 - digits.images[0], np.ones((4, 4), np.uint8))).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6  # EXIF 2.32, Orientation: turn it a quarter to the right
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=95, exif=exif)
    assert [each.digit for each in client.classify_many([file.getvalue(), Image.open(file)])] == [7, 7]


def test_a_picture_that_pillow_cannot_decode_is_a_prediction_with_an_error(client, digits, png):
    """Pillow decodes a file that it has opened only when somebody asks for its pixels."""
    torn = Image.open(io.BytesIO(png(np.kron(digits.images[0], np.ones((8, 8), np.uint8)))[:300]))
    assert client.classify(torn).error.code == "unreadable"


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (7, "int is not an image"),
        (None, "NoneType is not an image"),
        ([[0] * 28] * 28, "list is not an image"),
        (io.BytesIO(b""), "BytesIO is not an image"),
        (np.zeros((28, 28), np.int64), "not int64"),
        (np.zeros((28, 28), bool), "not bool"),
        (np.zeros((5, 28, 28), np.uint8), r"\(5, 28, 28\)"),
        (np.zeros((784,), np.uint8), r"\(784,\)"),
        (np.zeros((0, 28), np.uint8), r"\(0, 28\)"),
        (np.zeros((28, 28, 2), np.uint8), r"\(28, 28, 2\)"),
    ],
    ids=lambda value: value if isinstance(value, str) else "image",  # every process must give the same names
)
def test_what_cannot_be_an_image_is_refused_at_once(client, image, words):
    """The error is digitmill's own and a TypeError as well, and says what to give."""
    with pytest.raises(digitmill.InputError, match=words) as caught:
        client.submit(image)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, digitmill.DigitmillError)


def test_an_image_that_cannot_be_read_is_a_prediction_with_an_error(client, digits, tmp_path):
    """Its neighbours are classified, and nothing is raised."""
    fifo_like = tmp_path / "folder"
    fifo_like.mkdir()
    images = [digits.images[0], b"no image", tmp_path / "absent.png", fifo_like, b"", np.zeros((28, 28), np.uint8)]
    found = list(client.classify_many([*images, digits.images[1]]))
    codes = [each.error and str(each.error.code) for each in found]
    assert codes == [None, "not_an_image", "unreadable", "unreadable", "empty", "blank", None]
    assert {(each.digit, each.confidence, each.probabilities) for each in found[1:-1]} == {(None, None, None)}
    assert all(each.error.sentence for each in found[1:-1])


def test_several_digits_are_refused_or_read(url, client, digits, png):
    """As in a job: an error and a case for review, or a number."""
    pair = png(np.hstack([digits.images[0], np.zeros((28, 28), np.uint8), digits.images[1]]))
    refused = client.classify(pair)
    assert (refused.error.code, refused.review, refused.digit) == (digitmill.FailureCode.SEVERAL_DIGITS, True, None)
    with Client(url, several="read") as reading:
        number, one = reading.classify_many([pair, png(digits.images[0])])
        assert (number.number, number.digit, number.error) == ("72", None, None)
        assert (len(number.confidences), number.confidence) == (2, min(number.confidences))
        assert (one.number, one.digit, one.probabilities) == ("7", 7, None)


def test_answers_keep_their_order_and_many_threads_share_a_client(client, digits, expected):
    """Each future gets the answer of its own image."""
    images, right = digits.images[:600], expected.digits.tolist()
    assert [each.digit for each in client.classify_many(images)] == right
    with ThreadPoolExecutor(8) as pool:
        assert [each.digit for each in pool.map(client.classify, images[:200])] == right[:200]


def test_images_are_taken_ahead_but_not_all_at_once(client, digits, monkeypatch):
    """A source without an end can be classified. A consumer that stops leaves nothing behind."""
    monkeypatch.setattr("producer.calls.client.MAX_AHEAD", 50)
    taken = []

    def endless():
        while True:
            taken.append(1)
            yield digits.images[len(taken) % 10]

    stream = client.classify_many(endless())
    for _ in range(200):
        next(stream)
    stream.close()
    assert len(taken) <= 200 + 50 + 1


def test_a_picture_may_change_after_it_was_given(client, digits, expected):
    """The client has taken what it was at that moment."""
    image = digits.images[0].copy()
    futures = []
    for index in range(20):
        image[:] = digits.images[index]
        futures.append(client.submit(image))
    assert [future.result().digit for future in futures] == expected.digits[:20].tolist()


def test_a_cancelled_future_stays_cancelled(client, digits):
    """Its answer disturbs nobody."""
    futures = [client.submit(digits.images[0]) for _ in range(50)]
    cancelled = [future for future in futures[::2] if future.cancel()]
    wait(futures, 20)
    assert all(future.cancelled() for future in cancelled)
    assert {future.result().digit for future in futures if not future.cancelled()} <= {7}


def test_a_client_waits_for_its_answers_at_the_end_of_its_block(url, digits):
    """After an error it cancels them instead. Afterwards it refuses images."""
    with Client(url) as opened:
        futures = [opened.submit(image) for image in digits.images[:300]]
    assert all(future.done() and future.exception() is None for future in futures)
    with pytest.raises(digitmill.UsageError, match="closed"):
        opened.submit(digits.images[0])
    opened.close()
    futures = []

    def fail():
        with Client(url) as opened:
            futures.extend(opened.submit(b"x" * 1000) for _ in range(300))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(futures) == 300
    assert all(future.done() for future in futures)


def test_a_client_leaves_no_threads_behind(url, digits):
    """They end with it."""
    before = threading.active_count()
    for _ in range(3):
        with Client(url) as opened:
            opened.classify(digits.images[0])
    assert threading.active_count() == before


def test_a_version_can_be_asked_for(mill, url, variant, digits):
    """By its name, or by the beginning of it. One that does not exist is an error of the client."""
    card, files = variant("asked-by-name")
    mill.connection.registry.publish(card, files)
    with Client(url, model="asked-by") as opened:
        assert opened.classify(digits.images[0]).model == card.version
    with pytest.raises(digitmill.UsageError, match="never-published"):
        Client(url, model="never-published")


def test_each_call_may_ask_for_a_version_and_a_way_of_reading(mill, url, client, variant, digits, png):
    """Whatever the client does for the others. A name that means nothing is an error of the call alone."""
    card, files = variant("asked-by-call")
    mill.connection.registry.publish(card, files)
    pair = png(np.hstack([digits.images[0], np.zeros((28, 28), np.uint8), digits.images[1]]))
    asked = [{}, {"model": "asked-by-c"}, {"several": "read"}, {"model": card.version, "several": "read"}] * 5
    futures = [client.submit(pair, **options) for options in asked]
    for options, future in zip(asked, futures, strict=True):
        found = future.result()
        assert found.model == (card.version if "model" in options else VERSION)
        assert found.number == ("72" if "several" in options else None)
    assert {each.model for each in client.classify_many([pair] * 3, model=card.version)} == {card.version}
    assert digitmill.classify(pair, url=url, model=card.version, several="read").number == "72"
    with pytest.raises(digitmill.UsageError, match="never-published"):
        client.submit(pair, model="never-published")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": math.nan}, "timeout must be a number of seconds"),
        ({"timeout": math.inf}, "timeout must be a number of seconds"),
        ({"timeout": -1}, "timeout must be a number of seconds"),
        ({"timeout": "soon"}, "timeout must be a number of seconds"),
        ({"several": "reed"}, '"read" or "refuse"'),
        ({"several": True}, '"read" or "refuse"'),
        ({"model": ["v1"]}, "model must be the name of a version"),
    ],
)
def test_a_wrong_option_is_the_error_of_its_call_alone(client, digits, options, words):
    """The others that the client has outstanding are answered."""
    other = client.submit(digits.images[0])
    with pytest.raises(digitmill.UsageError, match=words):
        client.classify(digits.images[0], **options)
    assert other.result().digit == 7


@pytest.mark.parametrize("options", [{"floats": "yes"}, {"min_confidence": 80}, {"min_confidence": math.nan}])
def test_a_client_has_no_option_that_means_nothing(url, options):
    """It says which values there are."""
    with pytest.raises(digitmill.UsageError, match=f"{next(iter(options))} must be"):
        Client(url, **options)


def test_the_longest_timeout_is_no_error(client, digits):
    """A worker gets a deadline that it can read."""
    assert client.classify(digits.images[0], timeout=1e300).digit == 7


@pytest.mark.parametrize("images", ["seven.png", b"bytes", Path("seven.png"), None, 7])
def test_one_image_is_not_several(client, images):
    """A text would be read as the names of files of one letter. The error comes before anything is iterated over."""
    with pytest.raises(digitmill.InputError, match="is not several images"):
        client.classify_many(images)


def test_a_client_remembers_for_a_while_what_a_name_means(client, digits, monkeypatch):
    """Otherwise each call would cost Redis another exchange. An alias may mean another version later."""
    asked, resolve = [], Registry.resolve

    def resolve_and_note(registry, name):
        asked.append(name)
        return resolve(registry, name)

    monkeypatch.setattr(Registry, "resolve", resolve_and_note)
    for seconds, times in ((1000.0, 1), (0.0, 4)):
        monkeypatch.setattr(versions, "REMEMBERED_SECONDS", seconds)
        for _ in range(3):
            assert client.classify(digits.images[0], model="baseline").model == VERSION
        assert len(asked) == times


def test_the_functions_share_a_client(url, digits, expected):
    """Only the first call connects."""
    before = threading.active_count()
    assert digitmill.classify(digits.images[0], url=url).digit == expected.digits[0]
    found = digitmill.classify_many(digits.images[:50], url=url)
    assert [each.digit for each in found] == expected.digits[:50].tolist()
    assert threading.active_count() - before <= 2


def test_coroutines_classify(url, digits, expected, png, tmp_path):
    """Many at a time, in order from `classify_many`. Errors are raised where the coroutine waits."""
    file = tmp_path / "seven.png"
    file.write_bytes(png(digits.images[0]))

    async def work():
        async with digitmill.AsyncClient(url) as opened:
            one = await opened.classify(file, model="baseline", several="refuse")
            together = await asyncio.gather(*(opened.classify(image) for image in digits.images[:100]))
            streamed = [each.digit async for each in opened.classify_many(digits.images[:100])]
            task = asyncio.create_task(opened.classify(digits.images[0]))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(digitmill.InputError):
                await opened.classify(np.zeros(7, np.uint8))
            return one.digit, [each.digit for each in together], streamed

    right = expected.digits[:100].tolist()
    assert asyncio.run(work()) == (7, right, right)
    with pytest.raises(digitmill.UsageError, match="async with"):
        asyncio.run(digitmill.AsyncClient(url).classify(digits.images[0]))


def test_a_cancelled_start_leaves_no_threads_behind(url, eventually):
    """Connecting takes long where Redis is slow, so programs limit the time of it."""

    def clients():
        return [thread for thread in threading.enumerate() if thread.name.startswith("digitmill-")]

    before = len(clients())

    async def work():
        starting = asyncio.create_task(digitmill.AsyncClient(url).__aenter__())
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting

    asyncio.run(work())
    eventually(lambda: len(clients()) == before, what="no client that nobody has")


def _in_child(client, url, image, results):
    try:
        client.submit(image)
    except digitmill.UsageError as fault:
        results.put(str(fault))
    results.put(digitmill.classify(image, url=url).digit)
    client.close()


def test_a_forked_process_needs_a_client_of_its_own(client, url, digits):
    """The parent's refuses there, and the functions open another. The parent's goes on."""
    digitmill.classify(digits.images[0], url=url)
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    child = context.Process(target=_in_child, args=(client, url, digits.images[0], results))
    child.start()
    assert "belongs to another process" in results.get()
    assert results.get() == 7
    child.join(20)
    assert child.exitcode == 0
    assert client.classify(digits.images[0]).digit == 7


# Without answers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def silent(server):
    """A Redis without workers."""
    connection = connect(server.url)
    connection.flushall()
    yield connection
    connection.flushall()


def announce(connection, **facts):
    """Announce a worker that does nothing."""
    Ledger(connection).announce("dead-1", {"ready": 1, "model": "m", **facts}, ttl_seconds=ALIVE_SECONDS)


@pytest.mark.usefixtures("silent")
def test_without_workers_a_call_ends_within_its_timeout(server, digits):
    """The error says that none is running. A worker that starts in time answers."""
    with Client(server.url, timeout=0.3) as opened:
        began = time.monotonic()
        with pytest.raises(digitmill.NoWorkers, match="none is running"):
            opened.classify(digits.images[0])
        assert 0.3 <= time.monotonic() - began < 20
        future = opened.submit(digits.images[0], timeout=0.2)
        with pytest.raises(digitmill.NoWorkers, match=r"within 0\.2 s"):
            future.result()


def test_a_client_does_not_wait_for_what_was_cancelled(server, digits):
    """It waits for the others, until they have an answer or an error."""
    began = time.monotonic()
    with Client(server.url, timeout=120) as opened:
        opened.submit(digits.images[0]).cancel()
        other = opened.submit(digits.images[1], timeout=0.1)
    assert isinstance(other.exception(0), digitmill.NoWorkers)
    assert time.monotonic() - began < 60


def test_workers_without_a_lane_are_named_soon(server, silent, digits):
    """They run an older version. Nobody waits for the timeout."""
    announce(silent)
    with Client(server.url, timeout=600) as opened, pytest.raises(NoLane, match="another version"):
        opened.classify(digits.images[0])


def test_silent_workers_are_named(server, silent, digits):
    """They are alive, but do not answer."""
    announce(silent, lane=1)
    with (
        Client(server.url, timeout=0.3) as opened,
        pytest.raises(digitmill.NoWorkers, match=r"workers are alive \(1\)"),
    ):
        opened.classify(digits.images[0])


def test_a_full_lane_is_named(server, silent, digits, monkeypatch):
    """Clients send more than the workers classify."""
    monkeypatch.setattr("worker.contract.lane.lane.MAX_WAITING", 0)
    announce(silent, lane=1)
    with Client(server.url, timeout=0.5) as opened, pytest.raises(digitmill.LaneFull, match="The lane is full"):
        opened.classify(digits.images[0])


def test_a_mill_that_does_not_run_is_named(tmp_path, monkeypatch):
    """The error says how to start one."""
    monkeypatch.setenv("DIGITMILL_DATA", str(tmp_path))
    monkeypatch.setenv("DIGITMILL_REDIS_URL", "")
    monkeypatch.setattr("worker.settings._DEFAULT_REDIS_URL", "redis://localhost:1/0")
    with pytest.raises(digitmill.Unreachable, match="digitmill up"):
        digitmill.classify(b"")
    with pytest.raises(digitmill.Unreachable, match="Cannot reach"):
        Client("redis://localhost:1/0", timeout=1)
    with pytest.raises(digitmill.Unreachable, match="not a valid URL"):
        Client("nonsense")


def test_a_restarted_redis_loses_no_call(start_mill, digits, expected, eventually):
    """The client sends again what Redis has lost, and connects again."""
    with start_mill(1) as mill, Client(mill.stack.url, timeout=60) as opened:
        assert opened.classify(digits.images[0]).model == VERSION
        stop, found = threading.Event(), []

        def ask():
            for index in range(100_000):
                if stop.is_set():
                    return
                found.append((index % 600, opened.classify(digits.images[index % 600]).digit))

        thread = threading.Thread(target=ask)
        thread.start()
        for _ in range(2):
            count = len(found)
            eventually(lambda count=count: len(found) > count + 5, what="answers")
            os.kill(mill.stack.supervisor.processes()["server"], signal.SIGKILL)
        count = len(found)
        eventually(lambda: len(found) > count + 5, what="answers after the last restart")
        stop.set()
        thread.join(60)
        assert all(expected.digits[index] == digit for index, digit in found)


def test_the_default_model_is_the_live_one():
    """Programs that name none follow promotions."""
    for kind in (Client, digitmill.AsyncClient):
        assert inspect.signature(kind).parameters["model"].default == LIVE
