"""The helper process: decodes one file after the other within the limits of `model.images.limits`.

`helper.py` starts it. The kernel keeps the limits: a timer of CPU time kills the process when it has run out, and no
decoder gets memory beyond the limit.
"""

import contextlib
import os
import resource
import signal
import sys
from pathlib import Path
from typing import BinaryIO

import cv2

from model.child_process import address_space, limit, limit_memory
from model.errors import ImageError
from model.images.decoding.formats import identify, own_failure, too_costly
from model.images.decoding.messages import REPLY, REQUEST
from model.images.decoding.pillow import decode_with_pillow, prepare_phone_formats
from model.images.limits import CPU_SECONDS, MEMORY_BYTES
from model.images.raster import Grey

CPU_FOR_MESSAGES = 0.1
"""CPU time of an image's budget that is left to read the file and to send the picture, in seconds."""

UNSEEN_BYTES = 16 * 2**20
"""Part of an image's budget, in bytes, that is left to pages that the idle process has mapped, but not used."""

MAX_KEPT_BYTES = 16 * 2**20
"""Memory, in bytes, that may remain after an image. If more does, the process ends, so that no image has less."""


def main() -> None:
    """Answer requests until the process that asks is gone."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:  # noqa: PTH123  libraries print to the standard streams
        for standard in (0, 1, 2):
            os.dup2(nothing.fileno(), standard)
    with contextlib.suppress(ImageError):  # not installed; whoever sends such a file is told
        prepare_phone_formats("HEIF")  # before the limits, because it would count as memory of the first image
    idle = _confine()
    ends = False
    while not ends:
        header = requests.read(REQUEST.size)
        if len(header) < REQUEST.size:
            return  # the process that asked is gone
        try:
            answer = _decode_next(requests, *REQUEST.unpack(header))
        except MemoryError:
            answer = too_costly(f"The image needs more memory than the limit of {MEMORY_BYTES // 2**20} MiB")
            ends = True  # the rest of the file is still in the pipe
        ends = ends or address_space() - idle > MAX_KEPT_BYTES
        _send(replies, answer, ends=ends)


def _decode_next(requests: BinaryIO, length: int) -> Grey | ImageError:
    data = requests.read(length)
    if len(data) < length:
        sys.exit()
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS - CPU_FOR_MESSAGES)
    try:
        return decode_with_pillow(data, identify(data))
    except ImageError as fault:
        return fault
    except MemoryError:
        raise
    except Exception as error:
        return own_failure(error)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _send(replies: BinaryIO, answer: Grey | ImageError, *, ends: bool) -> None:
    if isinstance(answer, ImageError):
        body = f"{answer.code}\n{answer.sentence}".encode()
        header = REPLY.pack(ends, 0, 0, len(body))
    else:
        body = answer.tobytes()
        header = REPLY.pack(ends, *answer.shape, 0)
    replies.write(header + body)
    replies.flush()


def _confine() -> int:
    """Limit what this process may take. Return the size of its address space, in bytes."""
    cv2.setNumThreads(1)
    with contextlib.suppress(OSError):  # if the system runs out of memory, this process ends first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_FSIZE, 0)
    limit_memory(MEMORY_BYTES - UNSEEN_BYTES)
    return address_space()
