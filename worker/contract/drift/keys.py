"""The names of everything that Redis keeps about drift. No other module spells them.

digitmill:days:<version>   hash   <day>:<count> → sum over the answers of that day (`DayCounts`); <day> counts from
                                  1970-01-01, by Redis' clock; expires `DAYS_KEPT` days after the last answer
"""


def days(version: str) -> str:
    """Return the key of what a version answered day by day."""
    return f"digitmill:days:{version}"


def field(day: int, name: str) -> str:
    """Return the field of one sum of a day."""
    return f"{day}:{name}"
