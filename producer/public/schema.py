"""JSON Schemas (draft 2020-12) of the forms. Descriptions come from the docstrings of their classes."""

import re
from collections.abc import Iterator, Sequence
from inspect import cleandoc
from typing import Any

import msgspec

from producer.public.body import Body, Document

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Schemas(Document, kw_only=True, frozen=True):
    """What `schemas` prints with `--json`.

    Attributes:
        schemas: Schemas by name.
    """

    schemas: dict[str, dict[str, Any]]


def schema_of(forms: Sequence[type[Body]], *, title: str) -> dict[str, Any]:
    """Return the schema of a text that has one of some forms.

    A later version may add keys, so the schema allows other keys than those that it names.

    Args:
        forms: Classes of the forms.
        title: What has these forms.
    """
    references, definitions = components(forms, "#/$defs/{name}")
    which = references[0] if len(references) == 1 else {"anyOf": references}
    return {"$schema": DIALECT, "title": title, **which, "$defs": definitions}


def components(forms: Sequence[type[Body]], template: str) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return a reference to the schema of each form, and the schemas by name.

    Args:
        forms: Classes of the forms.
        template: Reference to a schema, with `{name}` for its name.
    """
    references, definitions = msgspec.json.schema_components(forms, ref_template=template)
    bodies = {body.__name__: body for body in _derived(Body)} | {form.__name__: form for form in forms}
    for name, definition in definitions.items():
        said: dict[str, str] = {}
        texts = [definition.get("description")]
        if name in bodies:  # it has the attributes of its bases as well
            texts = [body.__doc__ for body in reversed(bodies[name].__mro__)]
        for text in texts:
            definition["description"], attributes = _read(text or "")
            said |= attributes
        for key, about in definition.get("properties", {}).items():
            about.update({"description": said[key]} if key in said else {})
    return list(references), definitions


def _derived(body: type[Body]) -> Iterator[type[Body]]:
    for each in body.__subclasses__():
        yield each
        yield from _derived(each)


def _read(docstring: str) -> tuple[str, dict[str, str]]:
    """Return what a docstring says about a class, and about each of its attributes."""
    # Python 3.13 has taken the indent away already.
    head, _, attributes = cleandoc(docstring).partition("\n\nAttributes:\n")
    entries = (" ".join(entry.split()) for entry in re.split(r"\n {4}(?=\w)", f"\n{attributes.rstrip()}"))
    found = (entry.partition(": ") for entry in entries if entry)
    return " ".join(head.split()), {name: about for name, _, about in found}
