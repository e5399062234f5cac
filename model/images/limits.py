"""What is never exceeded, whoever sends it; of no other module, so that a client need not load a decoder to know."""

MAX_BYTES = 32 * 2**20
"""Of one encoded image. A photograph of 50 megapixels takes about 20 MiB."""
