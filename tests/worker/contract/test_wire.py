"""Facts about the wire format: a record comes back as it was sent, and anything else raises `WireError`."""

import contextlib
from typing import Any, TypeVar

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from model.images.limits import MAX_BYTES
from worker.contract.errors import UnknownFormat, WireError
from worker.contract.validation import bounds
from worker.contract.validation.identifiers import Kind
from worker.contract.wire import NUMBERS_VERSION, SIDE, VERSION, Batch, Manifest, Result

_Value = TypeVar("_Value")

# File names as `os.fsdecode` returns them: any text, and any bytes that are not UTF-8.
names = st.one_of(st.text(), st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
numbers = st.text("0123456789", min_size=1, max_size=bounds.MAX_DIGITS)
failures = st.builds(Failure, st.sampled_from(FailureCode), names)


doubts = st.builds(Doubt, st.sampled_from(DoubtCode), names)


def among(count: int, values: st.SearchStrategy[_Value]) -> st.SearchStrategy[dict[int, _Value]]:
    """Failures of some of `count` images, or doubts about them, by index."""
    return st.dictionaries(st.integers(0, count - 1), values, max_size=5) if count else st.just({})


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """Batches of up to five raw images, or up to six files."""
    raw = st.integers(0, 5).flatmap(lambda count: arrays.arrays(np.uint8, (count, SIDE, SIDE)))
    files = st.lists(st.binary(max_size=50), max_size=6).map(tuple)
    return Batch(draw(st.one_of(raw, files)), draw(st.booleans()), draw(st.booleans()))


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Names, failures, and digits or numbers as labels, of up to eight images."""
    count = draw(st.integers(0, 8))
    labels: st.SearchStrategy[int | str] = draw(
        st.sampled_from([st.integers(0, 9), numbers, numbers | st.integers(0, 2**64 - 1)])
    )
    return Manifest(
        tuple(draw(st.lists(names, min_size=count, max_size=count))),
        tuple(draw(st.lists(st.none() | labels, min_size=count, max_size=count))),
        draw(among(count, failures)),
    )


@st.composite
def results(draw: st.DrawFn) -> Result:
    """Answers to up to six images, with a digit each or with up to five."""
    images = draw(st.integers(0, 6))
    failed = draw(among(images, failures))
    counts = None
    if draw(st.booleans()):
        counts = draw(arrays.arrays(np.uint8, images, elements=st.integers(1, 5)))
        counts[list(failed)] = 0
    count = images if counts is None else int(counts.sum())
    probabilities = st.none() | arrays.arrays(np.float32, (count, 10), elements=st.floats(0, 1, width=32))
    return Result(
        draw(st.just("") | st.from_regex(Kind.VERSION.pattern, fullmatch=True)),
        draw(st.from_regex(Kind.PROCESS.pattern, fullmatch=True)),
        draw(arrays.arrays(np.uint8, count, elements=st.integers(0, 9))),
        draw(arrays.arrays(np.float32, count, elements=st.floats(0, 1, width=32))),
        draw(probabilities if counts is None else st.none()),
        failed,
        counts,
        draw(among(images, doubts)),
    )


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=20)
    | st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=16)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9) | st.integers(0, 9), inner),
    max_leaves=8,
)
READERS = (Batch.from_wire, Manifest.from_wire, Result.from_wire)


def read_all(data: bytes) -> None:
    """Read data as every kind of record. Any error but `WireError` fails the test."""
    for reader in READERS:
        with contextlib.suppress(WireError):
            reader(data)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.booleans(), st.randoms())
def test_a_batch_that_is_encoded_at_once_is_one_like_any_other(counts: list[int], ten: bool, seed: Any) -> None:
    """It has a copy of the images, which may come in pieces that are not contiguous, and has parts."""
    whole = np.frombuffer(seed.randbytes(sum(counts) * 2 * SIDE * SIDE), np.uint8).reshape(-1, 2, SIDE, SIDE).copy()
    pieces = np.split(whole[:, 1], np.cumsum(counts)[:-1])
    batch, other = Batch.of_arrays(pieces, probabilities=ten), Batch(whole[:, 1].copy(), ten)
    whole[:] = 0
    assert (len(batch), batch.probabilities, batch.several) == (sum(counts), ten, False)
    np.testing.assert_array_equal(batch.images, other.images)
    assert batch.to_wire() == other.to_wire()
    assert batch.part(1, 2).to_wire() == other.part(1, 2).to_wire()


@given(batches())
def test_a_batch_comes_back_as_it_was_sent(batch: Batch) -> None:
    """Every pixel of raw images and every byte of files is the same, also in an empty batch."""
    back = Batch.from_wire(batch.to_wire())
    assert (back.probabilities, back.several) == (batch.probabilities, batch.several)
    assert len(back) == len(batch)
    if isinstance(batch.images, tuple):
        assert back.images == batch.images
    else:
        assert isinstance(back.images, np.ndarray)
        assert back.images.shape == batch.images.shape
        np.testing.assert_array_equal(back.images, batch.images)


@given(batches(), st.data())
def test_the_parts_of_a_batch_are_the_batch(batch: Batch, data: st.DataObject) -> None:
    """Wherever it is cut, no image is lost or doubled, also after encoding and decoding."""
    middle = data.draw(st.integers(0, len(batch)))
    back = Batch.from_wire(batch.to_wire())
    pieces = [Batch.from_wire(piece.to_wire()) for piece in (back.part(0, middle), back.part(middle, len(back)))]
    whole = [bytes(image) for piece in pieces for image in piece.images]
    assert whole == [bytes(image) for image in batch.images]
    assert all((piece.probabilities, piece.several) == (batch.probabilities, batch.several) for piece in pieces)


@given(manifests())
def test_a_manifest_comes_back_as_it_was_sent(manifest: Manifest) -> None:
    """Its names may have newlines, emoji, and bytes that are not UTF-8."""
    assert Manifest.from_wire(manifest.to_wire()) == manifest


@given(results())
def test_a_result_comes_back_as_it_was_sent(result: Result) -> None:
    """It may have probabilities, failures, doubts and several digits of an image, or not."""
    back = Result.from_wire(result.to_wire())
    assert len(back) == len(result)
    assert (back.counts is None) == (result.counts is None)
    np.testing.assert_array_equal(back.counts, result.counts)
    assert (back.model, back.worker, back.failures) == (result.model, result.worker, result.failures)
    assert back.doubts == result.doubts
    np.testing.assert_array_equal(back.digits, result.digits)
    np.testing.assert_array_equal(back.confidences, result.confidences)
    if result.probabilities is None:
        assert back.probabilities is None
    else:
        assert back.probabilities is not None
        np.testing.assert_array_equal(back.probabilities, result.probabilities)


@given(st.binary())
def test_arbitrary_bytes_raise_nothing_but_wire_errors(data: bytes) -> None:
    """A reader survives whatever lies in Redis under our keys."""
    read_all(data)


@given(anything)
def test_any_other_record_raises_nothing_but_wire_errors(body: Any) -> None:
    """A reader survives any well-formed msgpack of another kind."""
    read_all(msgpack.packb(body, unicode_errors="surrogatepass"))


RECORDS = (
    Batch(np.zeros((2, SIDE, SIDE), np.uint8)).to_wire(),
    Batch((b"", b"file")).to_wire(),
    Manifest(("a", "b"), (3, None), {1: Failure(FailureCode.EMPTY, "Empty.")}).to_wire(),
    Result("m", "w", np.zeros(2, np.uint8), np.zeros(2, np.float32), np.zeros((2, 10), np.float32), {}).to_wire(),
    Batch((b"", b"file"), several=True).to_wire(),
    Manifest(("a", "b", "c"), ("042", None, "7"), {}).to_wire(),
    Result(
        "m",
        "w",
        np.zeros(3, np.uint8),
        np.zeros(3, np.float32),
        None,
        {1: Failure(FailureCode.BLANK, "Blank.")},
        np.array([1, 0, 2], np.uint8),
    ).to_wire(),
)


def test_only_what_has_several_digits_has_the_newer_version() -> None:
    """Programs of 0.1 and 0.2 read everything else, and refuse what they would misread."""
    versions = [msgpack.unpackb(record, strict_map_key=False)["v"] for record in RECORDS]
    assert versions == [VERSION] * 4 + [NUMBERS_VERSION] * 3


@given(st.sampled_from(RECORDS), st.data())
@settings(max_examples=100)
def test_a_record_with_a_wrong_byte_raises_nothing_but_wire_errors(record: bytes, data: st.DataObject) -> None:
    """A reader survives one altered byte, or a missing end."""
    position = data.draw(st.integers(0, len(record) - 1))
    if data.draw(st.booleans()):
        read_all(record[:position])
    else:
        read_all(record[:position] + bytes([data.draw(st.integers(0, 255))]) + record[position + 1 :])


@given(st.sampled_from(RECORDS), anything, st.data())
def test_a_record_with_a_wrong_field_raises_nothing_but_wire_errors(
    record: bytes, value: Any, data: st.DataObject
) -> None:
    """A reader survives a field that is replaced by anything, or left out."""
    body = msgpack.unpackb(record, strict_map_key=False)
    field = data.draw(st.sampled_from(sorted(body)))
    read_all(msgpack.packb({**body, field: value}, unicode_errors="surrogatepass"))
    del body[field]
    read_all(msgpack.packb(body))


def test_a_list_as_a_key_raises_wire_error() -> None:
    """Msgpack allows such maps, but Python does not allow such dictionaries."""
    for data in (b"\x81\x90\x01", b"\x81\xa1v\x81\x81\x01\x02\x03", b"\x91" * 5000 + b"\x90"):
        for reader in READERS:
            with pytest.raises(WireError):
                reader(data)


@pytest.mark.parametrize("record", RECORDS)
def test_another_version_is_told_from_damage(record: bytes) -> None:
    """Another version of the program may read it, so the message says to run the same version everywhere."""
    body = {**msgpack.unpackb(record, strict_map_key=False), "v": NUMBERS_VERSION + 1}
    for reader in READERS:
        with pytest.raises(UnknownFormat, match=r"reads format 1 or 2\. Run the same version"):
            reader(msgpack.packb(body))


def test_lengths_that_do_not_fit_are_refused() -> None:
    """A missing or surplus answer is damage, and so is a label that is not a digit."""
    manifest = {"v": VERSION, "names": [b"a"], "labels": b"\x01", "failures": {}}
    result = {
        "v": VERSION,
        "model": "m",
        "worker": "w",
        "digits": b"\x01",
        "confidences": bytes(4),
        "probabilities": bytes(40),
        "failures": {},
    }
    Manifest.from_wire(msgpack.packb(manifest))
    Result.from_wire(msgpack.packb(result))
    for wrong in (
        {"labels": b""},
        {"labels": b"\x01\x02"},
        {"labels": b"\x0a"},
        {"failures": {1: ["empty", ""]}},
        {"failures": {-1: ["empty", ""]}},
    ):
        with pytest.raises(WireError):
            Manifest.from_wire(msgpack.packb({**manifest, **wrong}))
    wrongs: tuple[dict[str, Any], ...] = (
        {"confidences": bytes(5)},
        {"probabilities": bytes(39)},
        {"digits": b""},
        {"digits": b"\x0a"},
        {"failures": {1: ["empty", ""]}},
        {"failures": {0: ["empty", "x" * (bounds.MAX_SENTENCE + 1)]}},
        {"confidences": np.float32("nan").tobytes()},
        {"confidences": np.float32("inf").tobytes()},
        {"confidences": np.float32(-1).tobytes()},
        {"probabilities": np.full(10, "nan", np.float32).tobytes()},
        {"worker": ""},
        {"worker": "\x1b[31mw"},
        {"worker": "../w"},
        {"model": "a/b"},
        {"model": "m\n"},
    )
    for wrong in wrongs:
        with pytest.raises(WireError):
            Result.from_wire(msgpack.packb({**result, **wrong}))
    for images in (bytes(SIDE * SIDE - 1), bytes(1)):
        with pytest.raises(WireError):
            Batch.from_wire(msgpack.packb({"v": VERSION, "raw": images, "probabilities": False}))


def test_counts_of_digits_that_do_not_fit_are_refused() -> None:
    """Each image has 1 to 64 digits, or failed and has none. All digits belong to an image."""
    result = {
        "v": NUMBERS_VERSION,
        "model": "m",
        "worker": "w",
        "digits": b"\x04\x02\x07",
        "confidences": bytes(12),
        "probabilities": None,
        "failures": {1: ["blank", ""]},
        "counts": b"\x02\x00\x01",
    }
    assert len(Result.from_wire(msgpack.packb(result))) == 3
    many = bounds.MAX_DIGITS + 1
    wrongs: tuple[dict[str, Any], ...] = (
        {"counts": b"\x02\x00"},
        {"counts": b"\x02\x00\x02"},
        {"counts": b"\x03\x00\x00"},
        {"counts": b"\x01\x01\x01"},
        {"failures": {}},
        {"failures": {0: ["blank", ""], 1: ["blank", ""]}},
        {"confidences": bytes(8)},
        {"probabilities": bytes(120)},
        {"counts": bytes([many]), "digits": bytes(many), "confidences": bytes(4 * many), "failures": {}},
        {"counts": bytes(bounds.MAX_IMAGES + 1), "digits": b"", "confidences": b""},
    )
    for wrong in wrongs:
        with pytest.raises(WireError, match="damaged"):
            Result.from_wire(msgpack.packb({**result, **wrong}))


def test_numbers_that_are_not_digits_are_refused() -> None:
    """A label is a string of up to 64 digits 0 to 9 or an integer of at least 0, and there is one for each name."""
    manifest = {"v": NUMBERS_VERSION, "names": [b"a"], "numbers": ["042"], "failures": {}}
    assert Manifest.from_wire(msgpack.packb(manifest)).labels == ("042",)
    for numbers in (
        [],
        ["1", "2"],
        [""],
        ["4.2"],
        ["-1"],
        ["\u0664"],
        ["\u00b2"],
        [-1],
        [4.5],
        ["1" * 65],
        "1",
        {"0": "1"},
    ):
        with pytest.raises(WireError, match="damaged"):
            Manifest.from_wire(msgpack.packb({**manifest, "numbers": numbers}))
    with pytest.raises(WireError, match="damaged"):
        Manifest.from_wire(msgpack.packb({**manifest, "labels": b"\x04"}))


def test_the_largest_batch_that_a_client_sends_is_read() -> None:
    """It has as many raw images as `--batch-size` allows, as many empty files, or one file of the maximum size."""
    for images in (
        np.zeros((bounds.MAX_IMAGES, SIDE, SIDE), np.uint8),
        (b"",) * bounds.MAX_IMAGES,
        (bytes(MAX_BYTES + 1),),  # sources read one byte more than is allowed, so that the worker refuses the file
    ):
        assert len(Batch.from_wire(Batch(images).to_wire())) == len(images)


def test_what_is_beyond_a_bound_is_refused_before_it_is_built() -> None:
    """The record of any kind that says that it has more images, or has more bytes, is damaged."""
    many = bounds.MAX_IMAGES + 1
    batch = {"v": VERSION, "probabilities": False}
    manifest = {"v": VERSION, "names": [b""] * many, "labels": b"\xff" * many, "failures": {}}
    result = {
        "v": VERSION,
        "model": "m",
        "worker": "w",
        "digits": bytes(many),
        "confidences": bytes(4 * many),
        "probabilities": None,
        "failures": {},
    }
    for reader, body in (
        (Batch.from_wire, {**batch, "raw": bytes(many * SIDE * SIDE)}),
        (Batch.from_wire, {**batch, "files": [b""] * many}),
        (Batch.from_wire, {**batch, "files": [bytes(bounds.MAX_BATCH_BYTES)]}),
        (Manifest.from_wire, manifest),
        (Manifest.from_wire, {**manifest, "names": [bytes(bounds.MAX_MANIFEST_BYTES)], "labels": b"\xff"}),
        (Result.from_wire, result),
        (Result.from_wire, {**result, "x": bytes(bounds.MAX_RESULT_BYTES)}),
        (Result.from_wire, {**result, "digits": b"", "confidences": b"", "failures": {0: ["empty", ""]}}),
    ):
        with pytest.raises(WireError, match="damaged"):
            reader(msgpack.packb(body))


@given(st.integers(0, 3 * bounds.MAX_SENTENCE), st.sampled_from(["x", "\u20ac", "\udcff"]))
def test_a_long_sentence_is_cut_when_it_is_written(length: int, character: str) -> None:
    """The reader accepts what the writer wrote, whatever an image library has to say."""
    failures = {0: Failure(FailureCode.BROKEN, character * length)}
    manifest = Manifest(("a",), (None,), failures)
    [back] = Manifest.from_wire(manifest.to_wire()).failures.values()
    assert back.sentence == character * min(length, bounds.MAX_SENTENCE)


def test_a_result_without_doubts_has_the_bytes_of_older_versions() -> None:
    """A doubt costs bytes only where there is one, and a doubt that this client does not know keeps its reason."""
    result = Result("v1", "w", np.zeros(2, np.uint8), np.ones(2, np.float32), None, {})
    body = msgpack.unpackb(result.to_wire())
    assert set(body) == {"v", "model", "worker", "digits", "confidences", "probabilities", "failures"}
    body["doubts"] = {1: ["folded", "is folded"]}
    back = Result.from_wire(msgpack.packb(body))
    assert back.doubts == {1: Doubt(DoubtCode.OTHER, "is folded")}
    body["doubts"] = {2: ["crossed_out", "looks crossed out"]}
    with pytest.raises(WireError, match="damaged"):
        Result.from_wire(msgpack.packb(body, strict_types=True))


def test_an_unknown_failure_code_becomes_internal_and_keeps_its_sentence() -> None:
    """A newer worker may know more codes than this client."""
    body = {"v": VERSION, "names": [b"a"], "labels": b"\xff", "failures": {0: ["melted", "The image has melted."]}}
    assert Manifest.from_wire(msgpack.packb(body)).failures == {
        0: Failure(FailureCode.INTERNAL, "The image has melted.")
    }
