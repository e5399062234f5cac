"""Checks JSON against the schemas that `digitmill schemas` prints."""

import functools
import json
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker

from producer.cli.commands.schemas import FORMS, schema

_formats = FormatChecker()


@_formats.checks("date-time", raises=ValueError)
def _is_time(value: Any) -> bool:
    return not isinstance(value, str) or (value.endswith("Z") and datetime.fromisoformat(value).tzinfo is not None)


@functools.cache
def _validator(name: str) -> Draft202012Validator:
    found = schema(name)
    Draft202012Validator.check_schema(found)
    for definition in found["$defs"].values():
        definition.setdefault("additionalProperties", False)  # what a command prints has only described keys
    return Draft202012Validator(found, format_checker=_formats)


def check(name: str, value: Any) -> None:
    """Check a value.

    Args:
        name: Name of its schema.
        value: Value, as JSON is parsed.

    Raises:
        jsonschema.ValidationError: It does not have this form.
    """
    _validator(name).validate(value)


def check_json(arguments: tuple[object, ...], output: str, errors: str) -> None:
    """Check the lines that a command with `--json` has printed, also those on standard error.

    Args:
        arguments: Arguments of the command.
        output: Its standard output.
        errors: Its standard error.
    """
    words = list(map(str, arguments))
    name = next(name for name in (" ".join(words[:2]), words[0]) if name in FORMS)
    for line in output.splitlines():
        check(name, json.loads(line))
    for line in errors.splitlines():
        check("errors", json.loads(line))
