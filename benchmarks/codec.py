"""Time `model.records` beside msgspec alone: `python benchmarks/codec.py`.

`model.records` parses bytes with json and msgpack, and msgspec then checks the types. msgspec could parse the bytes
too, but it refuses text that is not UTF-8, which failures and job records may hold. This benchmark shows what that
costs.

The first eight rows are for one batch of 512 images as it travels; the others are for JSON. Both ways use msgpack for
failures.
"""

import argparse
import time
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgpack
import msgspec
import numpy as np

from model.cards.card import BASELINE, Card
from model.errors import Failure, FailureCode
from model.records import from_json, to_json
from worker.contract.ledger import JobRecord
from worker.contract.wire import SIDE, VERSION, Batch, Manifest, Result

IMAGES = 512
ROUNDS = 7
NO_LABEL = 255


@dataclass
class BatchBody:
    """A batch as it travels."""

    v: int
    probabilities: bool
    raw: memoryview | None = None
    files: list[bytes] | None = None


@dataclass
class ManifestBody:
    """A manifest as it travels."""

    v: int
    names: list[bytes]
    labels: bytes
    failures: msgspec.Raw


@dataclass
class ResultBody:
    """A result as it travels."""

    v: int
    model: str
    worker: str
    digits: memoryview
    confidences: memoryview
    probabilities: memoryview | None
    failures: msgspec.Raw


ENCODER = msgspec.msgpack.Encoder()
BATCH = msgspec.msgpack.Decoder(BatchBody)
MANIFEST = msgspec.msgpack.Decoder(ManifestBody)
RESULT = msgspec.msgpack.Decoder(ResultBody)


def encode_batch(batch: Batch) -> bytes:
    """Encode a batch with msgspec, from a dictionary, because msgspec would write a None of `BatchBody` too."""
    body: dict[str, Any] = {"v": VERSION, "probabilities": batch.probabilities}
    if isinstance(batch.images, np.ndarray):
        body["raw"] = np.ascontiguousarray(batch.images).reshape(-1).data
    else:
        body["files"] = batch.images
    return ENCODER.encode(body)


def decode_batch(data: bytes) -> Batch:
    """Decode a batch with msgspec. Raw images are a view into `data`."""
    body = BATCH.decode(data)
    if body.raw is not None:
        return Batch(np.frombuffer(body.raw, np.uint8).reshape(-1, SIDE, SIDE), body.probabilities)
    return Batch(tuple(body.files or ()), body.probabilities)


def encode_manifest(manifest: Manifest) -> bytes:
    """Encode a manifest with msgspec."""
    names = [name.encode("utf-8", "surrogateescape") for name in manifest.names]
    labels = bytes(NO_LABEL if label is None else int(label) for label in manifest.labels)
    return ENCODER.encode(ManifestBody(VERSION, names, labels, encode_failures(manifest.failures)))


def decode_manifest(data: bytes) -> Manifest:
    """Decode a manifest with msgspec."""
    body = MANIFEST.decode(data)
    if len(body.names) != len(body.labels) or not all(label <= 9 or label == NO_LABEL for label in body.labels):
        raise ValueError("labels")
    names = tuple([name.decode("utf-8", "surrogateescape") for name in body.names])
    return Manifest(
        names,
        tuple([None if label == NO_LABEL else label for label in body.labels]),
        decode_failures(body.failures, len(names)),
    )


def encode_result(result: Result) -> bytes:
    """Encode a result with msgspec."""
    probabilities = None if result.probabilities is None else memoryview(result.probabilities.astype("<f4").tobytes())
    return ENCODER.encode(
        ResultBody(
            VERSION,
            result.model,
            result.worker,
            memoryview(result.digits.astype(np.uint8).tobytes()),
            memoryview(result.confidences.astype("<f4").tobytes()),
            probabilities,
            encode_failures(result.failures),
        )
    )


def decode_result(data: bytes) -> Result:
    """Decode a result with msgspec."""
    body = RESULT.decode(data)
    digits, confidences = np.frombuffer(body.digits, np.uint8), np.frombuffer(body.confidences, "<f4")
    if len(digits) != len(confidences) or digits.max(initial=0) > 9:
        raise ValueError("digits")
    probabilities = None if body.probabilities is None else np.frombuffer(body.probabilities, "<f4").reshape(-1, 10)
    return Result(
        body.model, body.worker, digits, confidences, probabilities, decode_failures(body.failures, len(digits))
    )


def encode_failures(failures: dict[int, Failure]) -> msgspec.Raw:
    """Encode failures with msgpack, because their sentences may name files that are not UTF-8."""
    return msgspec.Raw(msgpack.packb(failures, unicode_errors="surrogateescape"))


def decode_failures(data: msgspec.Raw, count: int) -> dict[int, Failure]:
    """Decode failures with msgpack, and check their types with msgspec."""
    plain = msgpack.unpackb(data, strict_map_key=False, unicode_errors="surrogateescape")
    failures = msgspec.convert(plain, dict[int, tuple[FailureCode, str]])
    if not all(0 <= index < count for index in failures):
        raise ValueError("failures")
    return {index: Failure(*failure) for index, failure in failures.items()}


def rows() -> list[tuple[str, Callable[[], object], Callable[[], object]]]:
    """Return what is timed: its name, a call of `model.records`, and a call of msgspec."""
    random = np.random.default_rng(1)
    names = tuple(f"scans/2026/page-{number:05}.png" for number in range(IMAGES))
    few = {3: Failure(FailureCode.BLANK, "Nothing is drawn on it."), 77: Failure(FailureCode.EMPTY, "It is empty.")}
    raw = Batch(random.integers(0, 256, (IMAGES, SIDE, SIDE), np.uint8))
    files = Batch(tuple(random.bytes(400) for _ in range(IMAGES)))
    manifest = Manifest(names, tuple(number % 10 for number in range(IMAGES)), few)
    confidences = random.random(IMAGES, np.float32)
    result = Result("baseline-1", "host-1", random.integers(0, 10, IMAGES, np.uint8), confidences, None, few)
    job = JobRecord("scans/", "baseline-1", "host-1", {"labels": "folder", "limit": None}, "/home/me/jobs")
    card = Card.read(BASELINE)
    text = card.dumps()
    wire: list[tuple[str, Any, Callable[[Any], bytes], Callable[[bytes], Any]]] = [
        ("raw images", raw, encode_batch, decode_batch),
        ("files", files, encode_batch, decode_batch),
        ("manifest", manifest, encode_manifest, decode_manifest),
        ("result", result, encode_result, decode_result),
    ]
    timed: list[tuple[str, Callable[[], object], Callable[[], object]]] = []
    for name, record, encode, decode in wire:
        data = record.to_wire()
        if encode(record) != data or decode(data).to_wire() != data:
            raise SystemExit(f"The two ways differ: {name}.")
        timed.append((f"{name}: encode", record.to_wire, lambda encode=encode, record=record: encode(record)))  # type: ignore[misc]
        timed.append(
            (
                f"{name}: decode",
                lambda record=record, data=data: record.from_wire(data),  # type: ignore[misc]
                lambda decode=decode, data=data: decode(data),  # type: ignore[misc]
            )
        )
    record = job.to_json()
    return [
        *timed,
        ("job record: encode", job.to_json, lambda: msgspec.json.encode(job)),
        (
            "job record: decode",
            lambda: from_json(JobRecord, record),
            lambda: msgspec.json.decode(record, type=JobRecord),
        ),
        ("card: encode", lambda: to_json(card), lambda: msgspec.json.encode(card)),
        ("card: decode", lambda: from_json(Card, text), lambda: msgspec.json.decode(text, type=Card)),
    ]


def best(call: Callable[[], object]) -> float:
    """Return the microseconds of processor time that a call takes, in the best of several rounds."""
    timer = timeit.Timer(call, timer=time.process_time)
    number = max(1, timer.autorange()[0] // 10)
    return min(timer.repeat(ROUNDS, number)) / number * 1e6


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    print(f"{'microseconds of a core':24} {'records':>9} {'msgspec':>9}")
    for name, ours, theirs in rows():
        print(f"{name:24} {best(ours):9.1f} {best(theirs):9.1f}", flush=True)


if __name__ == "__main__":
    main()
