"""Tries a model in a process with limits, before anything else loads it."""

from dataclasses import dataclass
from typing import Final

from model.errors import ModelError
from model.inference.limited_process import run_limited
from model.inference.limits import REMEDY

SLOWEST: Final = 10.0
"""Maximum time of an image, as a multiple of the baseline's on the same machine.

Every export of this network takes about as long as the baseline: at most twice as long, if operations were added. A
model above the maximum is another network, and would hold up the jobs that share its workers.
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured of a model that passed.

    Attributes:
        seconds: CPU time of one image.
        slowdown: That time as a multiple of the baseline's, measured in the same process.
    """

    seconds: float
    slowdown: float


def try_model(version: str, model: bytes, temperature: float) -> Trial:
    """Load, warm, run and measure a model in a process with limits.

    Args:
        version: Name of the model, for messages.
        model: Content of its model.tflite. It need not be a model.
        temperature: Temperature on its card.

    Raises:
        ModelError: The model must not serve: LiteRT cannot load or run it, it crashes, it takes too much memory or
            time, or its outputs are not probabilities. The message names fault and remedy.
        NotTried: The process could not run. That says nothing about the model.
    """
    try:
        measured = run_limited(model, temperature).body
        return _passed(Trial(measured["seconds"], measured["seconds"] / measured["baseline_seconds"]))
    except ModelError as fault:
        raise type(fault)(f"Model {version} did not pass its trial. {fault}") from fault


def _passed(trial: Trial) -> Trial:
    if trial.slowdown > SLOWEST:
        raise ModelError(
            f"This model takes {trial.slowdown:.0f} times as long as the baseline, and {SLOWEST:.0f} times is the "
            f"maximum. {REMEDY}"
        )
    return trial
