"""Starts `model.inference.limited_child`, a process with limits of memory and time, in which a model may do its worst.

LiteRT runs a model in native code. A model can make it take all memory, crash or never end, and no exception handler
helps against that. So a model that has not proven itself runs in a process of its own. This module imports neither
LiteRT nor the classifier, because the producer also uses it.
"""

import json
import signal
import subprocess
from importlib.util import find_spec
from typing import Any, NamedTuple

from model.child_process import command
from model.errors import ModelError, NotTried
from model.inference.limits import CPU_SECONDS, MEMORY_BYTES, READY, REMEDY, WALL_SECONDS

_STARTS = 2
"""Number of times that the process is started if the wall clock runs out, because a machine may have been paused."""

_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
"""Signals that a model does not cause. A person or the system has ended the process."""

_AGAIN = "That says nothing about the model. Free some memory or end other processes, and try again."
_LIMITS = f"{MEMORY_BYTES // 1024**2} MiB of memory and {CPU_SECONDS} s of CPU time"


class Reply(NamedTuple):
    """What the process answers."""

    body: dict[str, Any]
    data: bytes


def can_start() -> bool:
    """Return whether this Python has LiteRT, which the process needs."""
    return find_spec("ai_edge_litert") is not None


def run_limited(model: bytes, temperature: float, images: bytes = b"") -> Reply:
    """Load and warm a model in a process with limits, and let it classify images or be measured.

    Args:
        model: Content of a model.tflite. It need not be a model.
        temperature: Divisor of its logits.
        images: Pixels of n images, uint8 (n, 28, 28), to classify; empty to measure the model instead.

    Returns:
        The reply; see `model.inference.limited_child`.

    Raises:
        ModelError: The model is at fault: LiteRT cannot load it, or it crashes, hangs or exceeds a limit.
        NotTried: The process could not run, or was killed from outside.
    """
    head = json.dumps({"temperature": temperature, "model": len(model), "images": len(images)}).encode() + b"\n"
    seconds = WALL_SECONDS * (1 + len(images) // 784_000)  # 28 × 28 pixels a byte each
    ready = False
    for _ in range(_STARTS):
        try:
            return _read(_run(head + model + images, seconds))
        except subprocess.TimeoutExpired as late:
            ready = (late.output or b"").startswith(READY)
    if not ready:
        raise NotTried(
            f"The model could not be tried: this machine needs more than {seconds} s for the baseline. {_AGAIN}"
        )
    raise ModelError(f"LiteRT does not finish with this model within {seconds} s. {REMEDY}")


def _run(request: bytes, seconds: float) -> "subprocess.CompletedProcess[bytes]":
    """Run the process to its end, at most for this time. Whatever interrupts this function also kills the process.

    Raises:
        NotTried: The system cannot start another process.
        subprocess.TimeoutExpired: It did not end in time.
    """
    try:
        return subprocess.run(  # noqa: S603  our own command line
            command("model.inference.limited_child"),
            input=request,
            capture_output=True,
            timeout=seconds,
            check=False,
            start_new_session=True,  # Ctrl-C in the terminal reaches only the parent
        )
    except OSError as fault:
        raise NotTried(
            f"The model could not be tried, because no process could be started ({fault}). {_AGAIN}"
        ) from fault


def _read(ended: "subprocess.CompletedProcess[bytes]") -> Reply:
    ready, _, rest = ended.stdout.partition(b"\n")
    line, _, data = rest.partition(b"\n")
    if ended.returncode == 0 and ready == READY:
        body = json.loads(line)
        if "fault" in body:
            raise ModelError(str(body["fault"]))
        return Reply(body, data)
    by = _signal(ended.returncode)
    # Until it is ready, the process has run only the baseline, so the fault is not the model's.
    if ready != READY or by in _FROM_OUTSIDE:
        last = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][-200:]
        why = f" ({last})" if last else ""
        raise NotTried(
            f"The model could not be tried: its process ended with {_ending(ended.returncode)}{why}. {_AGAIN}"
        )
    if by == signal.SIGXCPU:
        raise ModelError(f"This model takes more than {CPU_SECONDS} s of CPU time. {REMEDY}")
    raise ModelError(f"This model crashes LiteRT ({_ending(ended.returncode)}) within {_LIMITS}. {REMEDY}")


def _signal(code: int) -> signal.Signals | None:
    try:
        return signal.Signals(-code)
    except ValueError:
        return None


def _ending(code: int) -> str:
    by = _signal(code)
    return by.name if by else f"code {code}"
