"""The size limit of an image file, in its own module, so that a client can check it without loading a decoder."""

MAX_BYTES = 32 * 2**20
"""Maximum size of one encoded image, in bytes. A photograph of 50 megapixels takes about 20 MiB."""
