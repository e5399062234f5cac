"""The names of everything that the registry keeps in Redis. No other module spells them.

digitmill:models            zset   version → unix ms of its publication
digitmill:model:<version>   hash   card, SHA-256 of the card, time of publication, file:<name> → content, and `origin`,
                                   the version that it was refined from, if it was
digitmill:aliases           hash   live, previous, candidate, best, and watched (the live version, while it is a canary)
                                   → version, or the word `baseline`
digitmill:tally:<version>   hash   counts of its answers since it was promoted (`ServiceCounts`), `strikes` since
                                   `struck` (unix ms), `fault`, why it must not serve, and
                                   `withdrawn`, if workers rolled it back; expires after the last answer
digitmill:moves             list   JSON, newest first: who made which version live, when and why (`LiveChange`)

The names `watched`, `tally` and `moves` stay as version 0.1.0 stored them.
"""

MODELS = "digitmill:models"
MODEL_PREFIX = "digitmill:model:"
ALIASES = "digitmill:aliases"
MOVES = "digitmill:moves"

CARD = "card"
SHA256 = "sha256"
PUBLISHED = "published"
ORIGIN = "origin"
CANARY = "watched"
FAULT = "fault"
WITHDRAWN = "withdrawn"
_FILE = "file:"


def model(version: str) -> str:
    """Return the key of a version."""
    return MODEL_PREFIX + version


def service_counts(version: str) -> str:
    """Return the key of the counts of a version's answers."""
    return f"digitmill:tally:{version}"


def file(name: str) -> str:
    """Return the field of a version's file."""
    return _FILE + name
