"""Check that a file of a model is the one that its card vouches for."""

import hashlib

from model.errors import ModelError


def verified(content: bytes, sha256: str, *, file: str, remedy: str) -> bytes:
    """Return the content of a file if it has the expected SHA-256.

    Args:
        content: Content of the file.
        sha256: Expected SHA-256, hexadecimal; `Card.sha256` gives it.
        file: Name of the file in the message, such as its path.
        remedy: Sentence at the end of the message: what the reader can do.

    Raises:
        ModelError: The content has another SHA-256.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ModelError(
            f"{file} is not what its card vouches for (SHA-256 {found[:8]}… instead of {sha256[:8]}…). {remedy}"
        )
    return content
