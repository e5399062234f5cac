"""Tries a model in a process with limits, before anything else loads it."""

from typing import Final

from model.errors import ModelError
from model.inference.limited_process import run_limited
from model.inference.limits import REMEDY

SLOWEST: Final = 10.0
"""Maximum time of an image, as a multiple of the baseline's on the same machine.

Every export of this network takes about as long as the baseline. A model above the maximum is another network, and
would hold up the jobs that share its workers.
"""


def try_model(version: str, model: bytes, temperature: float) -> float:
    """Load, warm, run and measure a model in a process with limits.

    Args:
        version: Name of the model, for messages.
        model: Content of its model.tflite. It need not be a model.
        temperature: Temperature on its card.

    Returns:
        CPU time of an image, as a multiple of the baseline's in the same process.

    Raises:
        ModelError: The model must not serve: LiteRT cannot load or run it, it crashes, it takes too much memory or
            time, or its outputs are not probabilities. The message names fault and remedy.
        NotTried: The process could not run. That says nothing about the model.
    """
    try:
        return _slowdown(model, temperature)
    except ModelError as fault:
        raise type(fault)(f"Model {version} did not pass its trial. {fault}") from fault


def _slowdown(model: bytes, temperature: float) -> float:
    slowdown = float(run_limited(model, temperature).body["slowdown"])
    if slowdown > SLOWEST:
        raise ModelError(
            f"This model takes {slowdown:.0f} times as long as the baseline, and {SLOWEST:.0f} times is the maximum. "
            f"{REMEDY}"
        )
    return slowdown
