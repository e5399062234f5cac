"""The whole mill on one machine, no Docker: an embedded Redis-compatible server and supervised processes."""

from producer.local.stack import Stack

__all__ = ["Stack"]
