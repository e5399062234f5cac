"""Makes workers of test mills misbehave. Python runs this file if its folder is on PYTHONPATH.

An image with a mark after its last byte kills, hangs or delays the process that decodes it. Real images have done all
of that. The program itself does not know the marks. With OTHER_DOORBELL_VERSION, a worker is one of another version.
With WITHOUT_NUMBERS, it reads batches as workers up to 0.2 do, and with WITHOUT_LANE, it answers no single images, as
they do. With JUDGED_FILES, a training judges its model on so many images as files, and on
as many without a digit.
"""

import os
import signal
import sys
import time
from typing import Any


def _inject() -> None:
    from marks import MARK_HANG, MARK_KILL, MARK_SLOW, SLOW_SECONDS  # type: ignore[import-not-found]  # in this folder

    from model.images import preprocess as module

    decode = module.preprocess_all

    def preprocess_all(data: bytes, *arguments: Any, **options: Any) -> Any:
        if data.endswith(MARK_KILL):
            os.kill(os.getpid(), signal.SIGKILL)
        if data.endswith(MARK_HANG):
            time.sleep(3600)
        if data.endswith(MARK_SLOW):
            time.sleep(SLOW_SECONDS)
        return decode(data, *arguments, **options)

    module.preprocess_all = preprocess_all


def _speak_another_format(version: int) -> None:
    from worker.contract import doorbell

    doorbell.DOORBELL_VERSION = version


def _read_no_numbers() -> None:
    from worker.contract import wire

    wire._VERSIONS = (wire.VERSION,)


def _answer_no_calls() -> None:
    from worker.contract import lane
    from worker.contract.lane.keys import CALLS

    lane.LANE_VERSION = 0
    CALLS.update({kind: f"{key}-of-nobody" for kind, key in CALLS.items()})


def _judge_few(files: int) -> None:
    from model.evaluation import judge

    judge.MAX_FILES = judge.DRAWN = files
    judge.FAMILY_STEP = 100


if "model.training.retrain" in sys.orig_argv and "JUDGED_FILES" in os.environ:
    _judge_few(int(os.environ["JUDGED_FILES"]))
if sys.orig_argv[-2:] == ["-m", "worker"]:
    _inject()
    if "OTHER_DOORBELL_VERSION" in os.environ:
        _speak_another_format(int(os.environ["OTHER_DOORBELL_VERSION"]))
    if "WITHOUT_NUMBERS" in os.environ:
        _read_no_numbers()
    if "WITHOUT_LANE" in os.environ:
        _answer_no_calls()
