"""The description of the server for programs, as an OpenAPI 3.1 document."""

import json
from importlib import metadata
from typing import Any

from model.inference.review import REVIEW_BELOW
from producer.http.jobs import LATEST, MAX_LATEST
from producer.http.limits import MAX_BODY_BYTES, MAX_PARTS
from producer.public.answers import Answers, Failed, OneAnswer
from producer.public.jobs import Jobs, ShownJob
from producer.public.schema import components

_FORMS = (OneAnswer, Answers, Failed, Jobs, ShownJob)

_ERRORS = {
    "400": "The request is malformed: a parameter, the form, or the header Host.",
    "401": "The token is missing or wrong.",
    "403": "A page from elsewhere sends the request.",
    "404": "The mill does not have this job.",
    "408": "The header or the body did not arrive in time.",
    "413": "The body, the image or the number of images is too large.",
    "415": "The body is not an image or a form, or it is compressed.",
    "422": "The image cannot be classified.",
    "429": "Too many images wait for their answers. The header Retry-After says when to try again.",
    "431": "The header of the request is too large.",
    "500": "digitmill itself failed.",
    "503": "No worker or no Redis is there, or the server stops. The header Retry-After says when to try again.",
    "504": "The workers did not answer in time.",
}


def document(*, needs_token: bool) -> bytes:
    """Return the document as JSON.

    Args:
        needs_token: Whether a client must present a token.
    """
    body: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "digitmill",
            "version": metadata.version("digitmill"),
            "summary": "Classifies images of handwritten digits.",
        },
        "servers": [{"url": "."}],
        "security": [{"token": []}] if needs_token else [],
        "paths": {
            "/v1/classify": {"post": _classify()},
            "/v1/jobs": {
                "get": _get(
                    "List the latest jobs, newest first",
                    _ref("Jobs"),
                    "400 401 500 503",
                    [
                        _parameter(
                            "latest",
                            "Number of jobs.",
                            {"type": "integer", "minimum": 1, "maximum": MAX_LATEST, "default": LATEST},
                        )
                    ],
                )
            },
            "/v1/jobs/{job}": {
                "get": _get(
                    "Show a job, as `digitmill show --json` does",
                    _ref("ShownJob"),
                    "401 404 500 503",
                    [
                        {
                            "name": "job",
                            "in": "path",
                            "required": True,
                            "description": "Its identifier, the beginning of it, or `last`.",
                            "schema": {"type": "string"},
                        }
                    ],
                )
            },
            "/healthz": {"get": _open("Say that the server lives", "")},
            "/readyz": {"get": _open("Say whether the mill can answer", "503")},
            "/metrics": {
                "get": {
                    "summary": "Show the metrics of this server to Prometheus",
                    "responses": {
                        "200": {"description": "The metrics.", "content": {"text/plain": {}}},
                        **_refusals("401 503"),
                    },
                }
            },
            "/openapi.json": {"get": _open("Return this document", "")},
            "/docs": {"get": _open("Return a page for people", "", "text/html")},
            "/docs/seven.png": {"get": _open("Return an example image", "", "image/png")},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": components(_FORMS, "#/components/schemas/{name}")[1],
            "responses": {status: _error_response(text) for status, text in _ERRORS.items()},
        },
    }
    return json.dumps(body, indent=1).encode()


def _classify() -> dict[str, Any]:
    parameters = [
        _parameter("several", "Refuse an image of several digits, or read all of them.", _choice("refuse", "read")),
        _parameter("model", "Version that classifies: its name or an alias.", {"type": "string", "default": "live"}),
        _parameter("probabilities", "1: add the probability of each digit.", _choice("0", "1")),
        _parameter(
            "min_confidence",
            "A prediction with a lower confidence is for review.",
            {"type": "number", "minimum": 0, "maximum": 1, "default": REVIEW_BELOW},
        ),
    ]
    return {
        "summary": "Classify one image, or several",
        "description": (
            f"One image is the body itself. Several are the parts of a form, at most {MAX_PARTS} and "
            f"{MAX_BODY_BYTES // 2**20} MiB; an image that fails has its error in its place."
        ),
        "parameters": parameters,
        "requestBody": {
            "required": True,
            "content": {
                "image/*": {
                    "schema": {"type": "string", "format": "binary"},
                    "examples": {"seven": {"summary": "A seven", "externalValue": "docs/seven.png"}},
                },
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "additionalProperties": {"type": "string", "contentMediaType": "image/*"},
                    }
                },
            },
        },
        "responses": {
            "200": {
                "description": "The prediction, or those of a form in the order of its parts.",
                "content": {"application/json": {"schema": {"oneOf": [_ref("OneAnswer"), _ref("Answers")]}}},
            },
            **_refusals("400 401 403 408 413 415 422 429 431 500 503 504"),
        },
    }


def _get(summary: str, schema: dict[str, Any], errors: str, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    answer = {"description": "The answer.", "content": {"application/json": {"schema": schema}}}
    return {"summary": summary, "parameters": parameters, "responses": {"200": answer, **_refusals(errors)}}


def _open(summary: str, errors: str, media_type: str = "application/json") -> dict[str, Any]:
    """Return an operation that needs no token."""
    answer = {"description": "The answer.", "content": {media_type: {}}}
    return {"summary": summary, "security": [], "responses": {"200": answer, **_refusals(errors)}}


def _refusals(statuses: str) -> dict[str, Any]:
    return {status: {"$ref": f"#/components/responses/{status}"} for status in statuses.split()}


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _choice(default: str, other: str) -> dict[str, Any]:
    return {"type": "string", "enum": [default, other], "default": default}


def _error_response(description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": _ref("Failed")}}}


def _ref(form: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{form}"}
