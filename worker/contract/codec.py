"""Msgpack records with a format version: what the wire format and the records of teaching have in common."""

from typing import Any

import msgpack

from worker.contract.errors import UnknownFormat, WireError


def pack(body: dict[str, Any], *, version: int) -> bytes:
    """Encode a record."""
    packed: bytes = msgpack.packb({"v": version, **body}, use_bin_type=True, unicode_errors="surrogateescape")
    return packed


def unpack(data: bytes, *, version: int, kind: str, remedy: str) -> dict[str, Any]:
    """Decode what `pack` encoded; what each field holds is for the caller to check.

    Args:
        data: of a record, or anything else.
        version: the only one that this program reads.
        kind: of record, for the message.
        remedy: a sentence for whoever meets a damaged one.

    Raises:
        WireError: no record; or UnknownFormat: one of another version.
    """
    try:
        # Lengths inside are checked by msgpack against the length of `data`: nothing large comes of a small record.
        body = msgpack.unpackb(data, raw=False, strict_map_key=False, unicode_errors="surrogateescape")
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as fault:
        # TypeError: msgpack has maps whose keys are lists, Python has no such dictionary.
        raise WireError(f"This {kind} record is damaged ({type(fault).__name__}). {remedy}") from None
    if not isinstance(body, dict) or "v" not in body:
        raise WireError(f"This is no {kind} record. {remedy}")
    if body["v"] != version:
        raise UnknownFormat(
            f"This {kind} record has format {str(body['v'])[:80]}, this program reads format {version}. "
            "Run the same version of digitmill everywhere."
        )
    return body
