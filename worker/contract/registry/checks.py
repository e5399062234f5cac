"""The checks that a version passes before it is stored, and again when it is read."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from model.cards import verification
from model.cards.card import MODEL, Card
from model.errors import ModelError
from worker.contract.registry.records import Alias
from worker.contract.validation import identifiers
from worker.contract.validation.identifiers import Kind
from worker.contract.validation.reading import moment

MAX_VERSION_BYTES = 32 * 1024 * 1024
"""Maximum size of all files of a version together. Those of the baseline have 1.2 MB."""

DIGITS = 10

_REMEDY = "Push it again from its folder (`digitmill models push`), or promote another."


def check_complete(card: Card, files: Mapping[str, bytes]) -> None:
    """Check that card and files form a whole model, with nothing missing, altered or surplus.

    Args:
        card: Card of the version.
        files: Contents of its files, by name.

    Raises:
        ModelError: A check fails. The message names fault and remedy.
    """
    _check_names(card)
    if card.version in set(Alias):
        raise ModelError(f"{card.version} is an alias. Give this model a name of its own.")
    if MODEL not in card.files:
        raise ModelError(f"The card of {card.version} names no {MODEL}. Export the model again.")
    if surplus := set(files) - set(card.files):
        raise ModelError(f"The card of {card.version} does not vouch for {', '.join(sorted(surplus))}. Leave it out.")
    if sum(map(len, files.values())) > MAX_VERSION_BYTES:
        raise ModelError(
            f"The files of {card.version} have more than {MAX_VERSION_BYTES // 1024**2} MB. Leave some out."
        )
    for name in card.files:
        verified(card, name, files.get(name))


def read_card(version: str, text: bytes | None, sha256: bytes | None) -> Card:
    """Return the card of a version.

    Args:
        version: Name of the version.
        text: Stored card, or None if there is none.
        sha256: Stored SHA-256 of the card, hexadecimal, or None if there is none.

    Raises:
        ModelError: The card is missing, altered, or of another version.
    """
    if text is None:
        raise ModelError(missing(version))
    if hashlib.sha256(text).hexdigest().encode() != sha256:
        raise ModelError(f"The card of model {version} was altered since its publication. {_REMEDY}")
    card = Card.loads(text)
    if card.version != version:
        raise ModelError(f"What is stored as model {version} is {card.version}. {_REMEDY}")
    _check_names(card)
    try:
        moment(datetime.fromisoformat(card.created).timestamp())
    except (ValueError, OverflowError):
        raise ModelError(f"The card of model {version} has no valid time of creation. {_REMEDY}") from None
    if len(card.per_class) != DIGITS:
        raise ModelError(f"The card of model {version} does not describe ten digits. {_REMEDY}")
    return card


def verified(card: Card, name: str, content: bytes | None) -> bytes:
    """Return the content of a version's file if the card vouches for it.

    Raises:
        ModelError: The file is missing or altered, or the card does not name it.
    """
    expected = card.sha256(name)
    if content is None:
        raise ModelError(f"Model {card.version} is incomplete: {name} is missing. {_REMEDY}")
    return verification.verified(content, expected, file=f"{name} of model {card.version}", remedy=_REMEDY)


def missing(version: str) -> str:
    """Return the message for a version that is not in the registry."""
    return f"The registry does not have model {version}. {_REMEDY}"


def too_large(version: str) -> ModelError:
    """Return the error of a version that is too large to be fetched."""
    return ModelError(f"What is stored as model {version} is too large for a model. {_REMEDY}")


def _check_names(card: Card) -> None:
    for name in (card.version, *card.files):
        if not identifiers.is_valid(Kind.VERSION, name):  # files of a version have names of the same form
            raise ModelError(f"{name[:100]!r} is not a name for a version or a file. Use letters, digits, . _ and -.")
