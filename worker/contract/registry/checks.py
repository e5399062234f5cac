"""What a version must be to be stored, and to be believed when it is read."""

import hashlib
import re
from collections.abc import Mapping

from model.cards import verification
from model.cards.card import MODEL, Card
from model.errors import ModelError
from worker.contract.registry.records import Alias

MAX_VERSION_BYTES = 32 * 1024 * 1024
"""Of all files of a version together; ours have 1.2 MB."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Of a version or a file: safe as a file name everywhere, and to type."""

_AGAIN = "Push it again from its folder (`digitmill models push`), or promote another."


def check_complete(card: Card, files: Mapping[str, bytes]) -> None:
    """Refuse what would be refused when it is read, and more than belongs to a model.

    Raises:
        ModelError: that names fault and remedy.
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
    """Return a version's card from what is stored of it.

    Raises:
        ModelError: it is missing, altered, or another version's.
    """
    if text is None:
        raise ModelError(missing(version))
    if hashlib.sha256(text).hexdigest().encode() != sha256:
        raise ModelError(f"The card of model {version} was altered since its publication. {_AGAIN}")
    card = Card.loads(text)
    if card.version != version:
        raise ModelError(f"What is stored as model {version} is {card.version}. {_AGAIN}")
    _check_names(card)
    return card


def verified(card: Card, name: str, content: bytes | None) -> bytes:
    """Return the content of a version's file, if it is what its card vouches for.

    Raises:
        ModelError: it is missing, altered, or the card does not know it.
    """
    expected = card.sha256(name)
    if content is None:
        raise ModelError(f"Model {card.version} is incomplete: {name} is missing. {_AGAIN}")
    return verification.verified(content, expected, file=f"{name} of model {card.version}", remedy=_AGAIN)


def missing(version: str) -> str:
    """Return what is to be said of a version that is not there."""
    return f"There is no model {version} in the registry. {_AGAIN}"


def _check_names(card: Card) -> None:
    for name in (card.version, *card.files):
        if not _NAME.fullmatch(name):
            raise ModelError(f"{name[:100]!r} is no name for a version or a file: letters, digits, . _ and - are.")
