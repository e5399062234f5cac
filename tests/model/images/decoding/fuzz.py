"""Damage files of every format in many ways, and check that each costs no more than its budget.

Run it with `make fuzz`. Each file must end as an image or as an ImageError, in the process that decodes it within its
CPU time and memory, and that process must go on. The same seed gives the same files.
"""

import argparse
import logging
import os
import random
import struct
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from model.errors import FailureCode, ImageError
from model.images.decoding.helper import HELPER
from model.images.limits import CPU_SECONDS, MEMORY_BYTES
from model.images.preprocess import preprocess_all
from tests.model.images.decoding.costly import COSTLY, jpeg_of_many_scans, tiff
from tests.model.images.drawings import drawing, encoded, heic

MAX_GROWTH = 2**20
"""Maximum size of a damaged file, in bytes. Larger ones are among the costly files, which are read first."""

TICK_SECONDS = 0.1
"""Accuracy with which CPU time is measured, in seconds: the system counts in hundredths."""

_TINY = encoded(np.zeros((8, 8), np.uint8), "WEBP", lossless=True)
_NUMBERS = (0, 1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


@dataclass
class Findings:
    """What a run has seen.

    Attributes:
        files: Number of files read.
        outcomes: Number of files by outcome: `image`, or the code of the error.
        slowest: CPU time of the slowest file, in seconds, and what it is.
        largest: Memory of the largest file beyond that of its idle process, in bytes, and what it is.
        helpers: Number of helper processes that were started.
        faults: What went wrong, and the file.
    """

    files: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[int, str] = (0, "")
    helpers: int = 0
    faults: list[tuple[str, bytes]] = field(default_factory=list)


def seeds() -> dict[str, list[bytes]]:
    """Return sound files of every format, mode and compression that digitmill reads."""
    grey = Image.fromarray(drawing(60, 48))
    bilevel, colour = grey.convert("1", dither=Image.Dither.NONE), grey.convert("RGB")
    alpha, palette, cmyk = grey.convert("RGBA"), colour.quantize(16), colour.convert("CMYK")
    deep = np.asarray(grey).astype(np.uint16) * 257
    others = [colour.rotate(90 * turn) for turn in (1, 2)]
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Camera"
    info: dict[str, Any] = {"exif": exif, "icc_profile": bytes(300)}
    pngs = [encoded(each) for each in (bilevel, grey, grey.convert("LA"), palette, colour, alpha, deep)]
    pngs += [encoded(colour, **info), encoded(colour, save_all=True, append_images=others), _png_with_texts(grey)]
    jpegs = [encoded(each, "JPEG") for each in (grey, colour, cmyk)]
    jpegs += [encoded(colour, "JPEG", progressive=True), encoded(colour, "JPEG", restart_marker_blocks=2, **info)]
    jpegs += [encoded(colour, "MPO", save_all=True, append_images=others), jpeg_of_many_scans(60, 48, scans=20)]
    jpegs += [encoded(colour, "JPEG", subsampling="4:4:4", comment=b"a comment")]
    gifs = [encoded(grey, "GIF"), encoded(grey, "GIF", interlace=0), encoded(palette, "GIF", transparency=0)]
    gifs += [encoded(colour, "GIF", save_all=True, append_images=others), encoded(grey, "GIF", comment=b"a comment")]
    bmps = [encoded(each, "BMP") for each in (bilevel, grey, palette, colour, alpha)]
    bmps += [_bmp_rle(8), _bmp_rle(4)]
    webps = [encoded(colour, "WEBP"), encoded(alpha, "WEBP", lossless=True), encoded(alpha, "WEBP", **info)]
    webps += [encoded(colour, "WEBP", save_all=True, append_images=others)]
    tiffs = [
        encoded(each, "TIFF") for each in (bilevel, grey, palette, colour, alpha, cmyk, colour.convert("LAB"), deep)
    ]
    tiffs += [encoded(bilevel, "TIFF", compression=each) for each in ("group3", "group4", "tiff_ccitt")]
    packed = ("packbits", "tiff_lzw", "tiff_adobe_deflate", "jpeg", "zstd", "lzma")
    tiffs += [encoded(colour, "TIFF", compression=each) for each in packed]
    tiffs += [encoded(np.asarray(grey, np.float32), "TIFF"), encoded(grey, "TIFF", big_tiff=True), _tiled()]
    tiffs += [_in_strips(grey), _pages(colour, others)]
    avifs = [encoded(each, "AVIF") for each in (grey, colour, alpha)] + [encoded(colour, "AVIF", **info)]
    avifs += [encoded(colour, "AVIF", save_all=True, append_images=others)]
    heics = [heic(each) for each in (grey, colour, alpha)] + [heic(colour, exif=exif.tobytes())]
    heics.append(heic(colour, save_all=True, append_images=others))
    some = {"PNG": pngs, "JPEG": jpegs, "GIF": gifs, "BMP": bmps}
    return some | {"WebP": webps, "TIFF": tiffs, "AVIF": avifs, "HEIC": heics}


def _png_with_texts(picture: Image.Image) -> bytes:
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    texts.add_text("Comment", "a text " * 20)
    texts.add_text("Description", "a packed text " * 20, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", '<x tiff:Orientation="6"/>', zip=True)
    target = BytesIO()
    picture.save(target, "PNG", pnginfo=texts)
    return target.getvalue()


def _bmp_rle(bits: int) -> bytes:
    """Return a BMP with all kinds of runs: encoded, absolute, ends of lines, and deltas."""
    rows = (b"\x05\x11\0\x03\x01\x02\x03\0\0\0" + b"\0\x02\x03\x01" + b"\x08\x21\0\0") * 12 + b"\0\x01"
    palette = bytes(range(64)) if bits == 4 else bytes(range(256)) * 4
    at = 54 + len(palette)
    header = struct.pack("<IiiHHIIiiII", 40, 40, 30, 1, bits, 1 if bits == 8 else 2, len(rows), 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + header + palette + rows


def _in_strips(picture: Image.Image) -> bytes:
    rows = picture.height // 4
    places = tuple(8 + 2 + 12 * 9 + 4 + picture.width * rows * strip for strip in range(4))
    tags: dict[int, int | tuple[int, ...]] = {256: picture.width, 257: picture.height, 258: 8, 259: 1, 262: 1}
    tags |= {273: places, 277: 1, 278: rows, 279: (picture.width * rows,) * 4}
    return tiff(tags, picture.tobytes())


def _pages(first: Image.Image, others: list[Image.Image]) -> bytes:
    target = BytesIO()
    # Copies, because an encoder of JPEG leaves its settings on the image.
    first.copy().save(target, "TIFF", save_all=True, append_images=[each.copy() for each in others])
    return target.getvalue()


def _tiled() -> bytes:
    body = zlib.compress(bytes(32 * 32))
    tags = {256: 30, 257: 30, 258: 8, 259: 8, 262: 1, 277: 1, 322: 32, 323: 32, 324: 0, 325: len(body)}
    return tiff(tags, body)


def damaged(chance: random.Random, files: dict[str, list[bytes]]) -> tuple[str, bytes]:
    """Return the name of a format, and one of its files after one to four kinds of damage."""
    kind = chance.choice(sorted(files))
    data = bytearray(chance.choice(files[kind]))
    for _ in range(chance.choice((1, 1, 2, 3, 4))):
        chance.choice(_DAMAGES)(chance, data, files[kind])
        del data[MAX_GROWTH:]
    if kind == "PNG" and chance.random() < 0.7:
        data = _with_checksums(data)
    return kind, bytes(data)


def _place(chance: random.Random, data: bytearray) -> int:
    """Return a place in the file, in half of all cases in its first bytes, where the header is."""
    return chance.randrange(max(1, min(len(data), 100) if chance.random() < 0.5 else len(data)))


def _change_bytes(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    for _count in range(chance.choice((1, 2, 4, 16))):
        at = _place(chance, data)
        data[at : at + 1] = bytes([chance.randrange(256)])


def _flip_bit(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = _place(chance, data)
    data[at : at + 1] = bytes([(data[at] if at < len(data) else 0) ^ 1 << chance.randrange(8)])


def _set_number(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    """Write a number that programs stumble over, in any width and order, over what is there."""
    width = chance.choice((1, 2, 4))
    number = chance.choice(_NUMBERS) + chance.choice((-1, 0, 0, 1))
    at = _place(chance, data)
    data[at : at + width] = (number % 256**width).to_bytes(width, chance.choice(("big", "little")))


def _cut_off(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    del data[_place(chance, data) :]


def _remove(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = _place(chance, data)
    del data[at : at + chance.choice((1, 4, 16, 100))]


def _repeat(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = _place(chance, data)
    piece = data[at : at + chance.choice((1, 2, 5, 12, 40, 200))]
    data[at:at] = piece * chance.choice((1, 3, 30, 300, 3000))


def _insert(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    at = _place(chance, data)
    data[at:at] = chance.randbytes(chance.choice((1, 4, 16, 1000)))


def _splice(chance: random.Random, data: bytearray, others: list[bytes]) -> None:
    other = bytearray(chance.choice(others))
    data[_place(chance, data) :] = other[_place(chance, other) :]


def _repeat_segment(chance: random.Random, data: bytearray, _: list[bytes]) -> None:
    """Repeat what lies between two markers of a JPEG, or a block of another format that starts with the same byte."""
    mark = bytes([chance.choice((0xFF, 0x21, 0x2C, data[0] if data else 0))])
    start = data.find(mark, _place(chance, data))
    stop = data.find(mark, start + 2)
    if 0 <= start < stop:
        data[start:start] = data[start:stop] * chance.choice((1, 10, 100, 1000))


_Damage = Callable[[random.Random, bytearray, list[bytes]], None]
_DAMAGES: tuple[_Damage, ...] = (
    _change_bytes,
    _flip_bit,
    _set_number,
    _set_number,
    _cut_off,
    _remove,
    _repeat,
    _insert,
    _splice,
    _repeat_segment,
)


def _with_checksums(data: bytearray) -> bytearray:
    """Return a PNG whose checksums are right, so that its reader goes on."""
    fixed = data[:8]
    at = 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        fixed += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return fixed


def inputs(files: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield what each file is, and its bytes."""
    chance, sound = random.Random(seed), seeds()
    for number in range(files):
        kind, data = damaged(chance, sound)
        yield f"{kind} {number}", data


def check(name: str, data: bytes, found: Findings) -> None:
    """Read one file, and note what it cost and how it ended."""
    _start_helper(found)
    helper, meter = HELPER.process_id, _Meter(HELPER.process_id)
    try:
        normalised = preprocess_all(data)
        outcome = "several digits" if normalised.certain else "image"
        for image in (normalised.shown, *normalised.parts):
            if image.shape != (28, 28) or image.dtype != np.uint8:
                found.faults.append((f"{name}: the image is {image.dtype} {image.shape}", data))
    except ImageError as fault:
        outcome = str(fault.code)
        if fault.code is FailureCode.INTERNAL:
            found.faults.append((f"{name}: {fault}", data))
    except Exception as fault:
        outcome = type(fault).__name__
        found.faults.append((f"{name}: {fault!r}", data))
    seconds, peak = meter.read()
    if HELPER.process_id != helper and outcome not in {"too_costly", "broken"}:
        outcome += ", and its helper was replaced"
    found.files += 1
    found.outcomes[outcome] += 1
    found.slowest = max(found.slowest, (seconds, f"{name}, {len(data):,} bytes, {outcome}"))
    found.largest = max(found.largest, (peak, f"{name}, {len(data):,} bytes, {outcome}"))
    if seconds > CPU_SECONDS + TICK_SECONDS:
        found.faults.append((f"{name}: {seconds:.2f} s of CPU time", data))
    if peak > MEMORY_BYTES:
        found.faults.append((f"{name}: {peak / 2**20:.0f} MiB", data))


def _start_helper(found: Findings) -> None:
    if HELPER.process_id is None:
        HELPER.decode(_TINY)
        found.helpers += 1


class _Meter:
    """Measures CPU time and memory of this process and of a helper, from its creation to `read`."""

    def __init__(self, helper: int | None) -> None:
        assert helper
        self._processes = (os.getpid(), helper)
        self._before = [(_cpu_seconds(each), _memory(each, "VmHWM")) for each in self._processes]
        self._children = _children_seconds()

    def read(self) -> tuple[float, int]:
        """Return seconds, and bytes beyond the idle process, of the process that took more of each."""
        seconds, peaks = [], []
        for process, (before, peak) in zip(self._processes, self._before, strict=True):
            try:
                seconds.append(_cpu_seconds(process) - before)
                peaks.append(
                    _memory(process, "VmHWM") - (peak if process == os.getpid() else _IDLE.setdefault(process, peak))
                )
            except OSError:  # it has ended, and this process has its times
                seconds.append(_children_seconds() - self._children - before)
        return max(seconds), max(peaks)


_IDLE: dict[int, int] = {}  # memory of each helper before its first file


def _cpu_seconds(process: int) -> float:
    if process == os.getpid():
        return time.process_time()
    fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    if fields[0] == "Z":
        raise ProcessLookupError
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _memory(process: int, kind: str) -> int:
    return int(Path(f"/proc/{process}/status").read_text(encoding="utf-8").split(f"{kind}:")[1].split()[0]) * 1024


def run(files: int, seed: int, report: Callable[[Findings], None] = lambda _: None) -> Findings:
    """Read damaged files.

    Args:
        files: Number of files.
        seed: Seed of the damage.
        report: Function that is called with the findings so far after each file.
    """
    cv2.setNumThreads(1)  # as the worker does
    found = Findings()
    for name, data in inputs(files, seed):
        check(name, data, found)
        report(found)
    return found


def main() -> int:
    """Read the costly files and many damaged ones, and print what was found. Return 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=100_000, help="number of damaged files (default 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the damage (default 1)")
    parser.add_argument("--folder", type=Path, help="folder in which files that break a rule are kept")
    arguments = parser.parse_args()
    logging.disable()  # of Pillow's warnings
    sys.stderr = sys.stdout
    with open(os.devnull, "wb") as nothing:  # noqa: PTH123  some decoders complain about each damaged image
        os.dup2(nothing.fileno(), 2)
    costly = Findings()
    for name, make in COSTLY.items():
        check(name, make(), costly)
    _print("costly files", costly)
    started = last = time.monotonic()

    def report(found: Findings) -> None:
        nonlocal last
        if time.monotonic() > last + 60:
            last = time.monotonic()
            print(f"{found.files:,} files, {found.files / (last - started):,.0f}/s", flush=True)

    found = run(arguments.files, arguments.seed, report)
    _print("damaged files", found)
    print(f"files/s: {found.files / (time.monotonic() - started):,.0f}")
    faults = costly.faults + found.faults
    for number, (fault, data) in enumerate(faults):
        print(f"WRONG {fault}")
        if arguments.folder:
            arguments.folder.mkdir(parents=True, exist_ok=True)
            (arguments.folder / f"{number:04}").write_bytes(data)
    return bool(faults)


def _print(what: str, found: Findings) -> None:
    print(f"{what}: {found.files:,}; helpers started: {found.helpers}; wrong: {len(found.faults)}")
    for outcome, count in found.outcomes.most_common():
        print(f"  {outcome}: {count:,}")
    print(f"  slowest: {found.slowest[0]:.2f} s of CPU time: {found.slowest[1]}")
    print(f"  most memory: {found.largest[0] / 2**20:.0f} MiB: {found.largest[1]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
