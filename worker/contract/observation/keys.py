"""The names of everything that Redis keeps only so that somebody can look. No other module spells them.

digitmill:recent      hash   <span>:<name> → images answered in a span of `SPAN_SECONDS`, by Redis' clock
digitmill:incidents   list   what went wrong in processes, newest first (`Incident`)
"""

RECENT = "digitmill:recent"
INCIDENTS = "digitmill:incidents"
