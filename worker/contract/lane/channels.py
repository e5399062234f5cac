"""The channels of Redis through which the answers of the lane pass. Redis keeps nothing of what passes.

    digitmill:lane1:answers:<client>   answers to a client

The number is the format of the messages, as in the names of the keys.
"""


def answers(client: str) -> str:
    """Return the channel of the answers to a client."""
    return f"digitmill:lane1:answers:{client}"
