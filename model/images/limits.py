"""The size limit of an image file. A module of its own, so that a client can check it without loading a decoder."""

MAX_BYTES = 32 * 2**20
"""Bytes of one encoded image. A photograph of 50 megapixels takes about 20 MiB."""
