"""The names of everything the registry keeps in Redis. No other module spells one.

digitmill:models            zset   version → unix ms of its publication
digitmill:model:<version>   hash   card, the card's SHA-256, when published, and file:<name> → content
digitmill:aliases           hash   live, previous, candidate → version
digitmill:moves             list   JSON, newest first: who made which version live, when and why
"""

MODELS = "digitmill:models"
MODEL_PREFIX = "digitmill:model:"
ALIASES = "digitmill:aliases"
MOVES = "digitmill:moves"

CARD = "card"
SHA256 = "sha256"
PUBLISHED = "published"
_FILE = "file:"


def model(version: str) -> str:
    """Where a version is."""
    return MODEL_PREFIX + version


def file(name: str) -> str:
    """The field of a version's file."""
    return _FILE + name


def file_name(field: str) -> str | None:
    """Read what `file` wrote; None for a field that holds no file."""
    return field.removeprefix(_FILE) if field.startswith(_FILE) else None
