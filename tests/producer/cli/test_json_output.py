"""The keys of the JSON output are those that scripts know, in the same order."""

import pytest

from model.errors import Failure, FailureCode
from model.training.options import TrainingOptions
from producer.cli.display import json_output
from producer.jobs import public
from producer.teaching import TeachingCounts
from worker.contract.ledger import JobRecord, JobState, JobStatus, WorkerStatus
from worker.contract.registry import LiveChange, ServiceCounts
from worker.contract.teaching import LabelChange, Summary
from worker.contract.training import ScheduleStatus, TrainingState, TrainingStatus

RECORD = JobRecord("/scans", "cnn-1", "host-1", {"path": "/scans"}, "/data")
JOB = JobStatus("j", RECORD, JobState.DONE, 1.0, 2.0, 3, 3, 1, 0, 2, "")
PROGRESS = "stage epoch epochs accuracy seconds_left"
TRAINING = TrainingStatus(
    "t", TrainingOptions(), TrainingState.ASKED, False, 1.0, None, None, 0, "", "", 0, 0, 0.0, None, "", ""
)


WORKER = (
    "name ready model model_fault images started seen process startup_seconds doorbell lane version memory restarts "
    "alive_until"
)


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (
            public.job(JOB),
            (
                "identifier record state created ended images answered failed open unread problem "
                "batches owner_host owner_folder owner_seen"
            ),
        ),
        (public.job(JOB)["record"], "source model client options folder"),
        (
            json_output.worker(WorkerStatus("w", True, "cnn-1", "", 3, 1.0, 2.0, 7, 0.5)),
            WORKER,
        ),
        (
            json_output.training(TRAINING),
            f"identifier order state held asked begun ended attempts holder {PROGRESS} version reason",
        ),
        (json_output.training(TRAINING)["order"], "data quick epochs seed"),
        (
            json_output.schedule(ScheduleStatus(["s"], "0 3 * * *", 1.0, None, "")),
            "schedulers cron next handled outcome",
        ),
        (
            json_output.live_change(LiveChange(1.0, "promote", "b", "a", "me", "why")),
            "at action version before who reason",
        ),
        (
            json_output.service_counts(ServiceCounts()),
            "images errors review confidence shadowed disagreed review_here review_before",
        ),
        (json_output.taught(Summary(1, 2, 3)), "images waiting new held"),
        (
            json_output.taught_image(LabelChange("a" * 64, 3, "a.png", 1.23456), waiting=True),
            "sha256 label name when waiting looks_like",
        ),
        (
            json_output.teaching_counts(TeachingCounts(failures={"a.png": Failure(FailureCode.BLANK, "It is blank.")})),
            "digits new known corrected removed unlabelled failed held confirmed unchecked",
        ),
    ],
)
def test_the_keys_are_those_of_version_0_1(body: dict[str, object], keys: str) -> None:
    """Scripts that read the JSON keep working when an attribute gets another name. New keys come last."""
    assert list(body) == keys.split()


def test_the_values_stand_under_their_keys() -> None:
    """`unread` has the unacknowledged batches, `order` the options, and each failure its name, error and message."""
    assert public.job(JOB)["unread"] == 2
    assert json_output.training(TRAINING)["order"] == {"data": "mnist", "quick": False, "epochs": None, "seed": 1}
    counts = TeachingCounts(failures={"a.png": Failure(FailureCode.BLANK, "It is blank.")})
    assert json_output.teaching_counts(counts)["failed"] == [
        {"name": "a.png", "error": "blank", "message": "It is blank."}
    ]
