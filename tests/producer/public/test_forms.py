"""The forms of the JSON: what each key holds. `tests.support.command` checks each output of a command."""

import json

import click
import pytest
from jsonschema import ValidationError

from model.errors import Failure, FailureCode
from model.images.doubts import Doubt, DoubtCode
from model.training.options import TrainingOptions
from producer.calls.prediction import Prediction
from producer.cli.commands.schemas import FORMS, schema
from producer.cli.main import main
from producer.public import jobs, training
from producer.public.answers import Answer
from producer.public.body import to_text
from tests.support.command import run_here
from tests.support.json_schemas import check
from worker.contract.ledger import JobRecord, JobState, JobStatus
from worker.contract.training import TrainingState, TrainingStatus

RECORD = JobRecord("/scans", "cnn-1", "host-1", {"path": "/scans"}, "/data")
JOB = JobStatus("j", RECORD, JobState.DONE, 1.0, 2.25, 3, 3, 1, 0, 2, "", owner_seen=0.0)
TRAINING = TrainingStatus(
    "t", TrainingOptions(), TrainingState.ASKED, False, 1.0, None, None, 0, "", "", 0, 0, 0.0, None, "", ""
)


def names(group, before=""):
    """Return the names of all commands of a group."""
    found: set[str] = set()
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        found |= names(command, f"{name} ") if isinstance(command, click.Group) else {before + name}
    return found


def test_every_command_has_a_schema():
    """And every schema belongs to a command, or to a file or a stream."""
    assert set(FORMS) - names(main) == {"report.json", "rows.jsonl", "errors"}
    assert names(main) <= set(FORMS)


@pytest.mark.parametrize("name", FORMS)
def test_every_key_of_a_schema_is_described(name):
    """So that `digitmill schemas` explains what a command prints. The names of keys that the data chooses are free."""
    for title, definition in schema(name)["$defs"].items():
        for key, found in definition.get("properties", {}).items():
            assert key == "format" or title in _OF_FILES or found.get("description"), (title, key)


_OF_FILES = frozenset({"Interval", "DigitScore", "ScoredDigit"})
"""Parts of the report whose classes describe their attributes in comments."""


def test_the_command_prints_schemas():
    """One by its name, the names, or one or all of them as JSON, which has the form that `schemas` itself promises."""
    assert json.loads(run_here("schemas", "models list").stdout)["title"] == "digitmill models list --json"
    assert run_here("schemas").stdout.split("\n")[0] == "submit"
    assert json.loads(run_here("schemas", "--json").stdout)["schemas"].keys() == FORMS.keys()
    assert json.loads(run_here("schemas", "jobs", "--json").stdout)["schemas"] == {"jobs": schema("jobs")}
    refused = run_here("schemas", "model list")
    assert (refused.exit_code, "lists" in refused.stderr) == (2, True)


def test_a_job_says_nothing_where_there_is_nothing():
    """Times are those of UTC, and what is not known is null."""
    body = json.loads(to_text(jobs.OneJob(**jobs.job_values(JOB))))
    check("wait", body)
    assert (body["format"], body["job"], body["unacknowledged_batches"]) == (1, "j", 2)
    assert (body["created"], body["ended"]) == ("1970-01-01T00:00:01.000Z", "1970-01-01T00:00:02.250Z")
    assert (body["problem"], body["owner_host"], body["owner_seen"]) == (None, None, None)


def test_a_training_before_its_first_epoch_has_no_accuracy():
    """Zero would be a bad model."""
    body = json.loads(to_text(training.OneTraining(training=training.training(TRAINING), joined=False)))
    check("train", body)
    found = body["training"]
    assert (found["epoch"], found["accuracy"], found["model"], found["started"]) == (None,) * 4
    assert found["options"] == {"data": "mnist", "quick": False, "epochs": None, "seed": 1}


@pytest.mark.parametrize(
    ("prediction", "code"),
    [
        (Prediction(7, 0.9, None, "m", review=False), None),
        (Prediction(7, 0.3, None, "m", review=True), "low_confidence"),
        (Prediction(7, 0.3, None, "m", review=True, doubt=Doubt(DoubtCode.CROSSED_OUT, "?")), "crossed_out"),
        (Prediction.failed(Failure(FailureCode.SEVERAL_DIGITS, "It shows 2 digits.")), "several_digits"),
    ],
)
def test_an_answer_for_review_says_why(prediction, code):
    """The reason has a code for programs, and there is none if nobody need look."""
    answer = Answer(**prediction.values(numbers=False))
    assert (answer.review, answer.review_reason and answer.review_reason.code) == (code is not None, code)
    assert Answer(**prediction.values(numbers=False, review=False)).review_reason is None


def test_a_wrong_answer_does_not_fit_the_schema():
    """The check of the tests can fail: a share above 1, a key too many, a time without a zone."""
    answer = {"digit": 7, "confidence": 0.5, "review": False, "review_reason": None, "model": "m", "error": None}
    check("classify", {"format": 1, "predictions": [answer]})
    for wrong in ({"confidence": 1.5}, {"doubt": None}, {"digit": "7"}):
        with pytest.raises(ValidationError):
            check("classify", {"format": 1, "predictions": [answer | wrong]})
    job = json.loads(to_text(jobs.OneJob(**jobs.job_values(JOB))))
    with pytest.raises(ValidationError):
        check("wait", job | {"created": "1970-01-01T00:00:01"})


def test_with_json_standard_error_has_json_too():
    """Errors have a code. What Click says about arguments is one as well."""
    for arguments in (("teach",), ("show",), ("show", "x", "--no")):
        ended = run_here(*arguments, "--json")
        assert json.loads(ended.stderr)["error"]["code"] == "usage"
        assert (ended.exit_code, ended.stdout) == (2, "")
    lost = run_here("jobs", "--json", DIGITMILL_REDIS_URL="redis://localhost:1/0")
    assert (lost.exit_code, json.loads(lost.stderr)["error"]["code"]) == (3, "unreachable")
    assert "Usage:" in run_here("show").stderr
