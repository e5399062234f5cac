"""The names of everything the registry keeps in Redis. No other module spells one.

digitmill:models            zset   version → unix ms of its publication
digitmill:model:<version>   hash   card, the card's SHA-256, when published, and file:<name> → content
digitmill:aliases           hash   live, previous, candidate, and watched (the live one, if workers watch it) → version,
                                   or the word `baseline`
digitmill:tally:<version>   hash   what it has answered since it was promoted (`ServiceCounts`); expires after the last answer
digitmill:moves             list   JSON, newest first: who made which version live, when and why
"""

MODELS = "digitmill:models"
MODEL_PREFIX = "digitmill:model:"
ALIASES = "digitmill:aliases"
MOVES = "digitmill:moves"

CARD = "card"
SHA256 = "sha256"
PUBLISHED = "published"
CANARY_IMAGES = "watched"
_FILE = "file:"


def model(version: str) -> str:
    """Where a version is."""
    return MODEL_PREFIX + version


def tally(version: str) -> str:
    """Where it is counted what a version answers."""
    return f"digitmill:tally:{version}"


def file(name: str) -> str:
    """The field of a version's file."""
    return _FILE + name
