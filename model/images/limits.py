"""The limits of an image, in their own module, so that a client can check a file without loading a decoder."""

MAX_BYTES = 32 * 2**20
"""Maximum size of one encoded image, in bytes. A photograph of 50 megapixels takes about 20 MiB."""

MAX_PIXELS = 64_000_000
"""Maximum of width × height. Phone cameras have up to 50 megapixels; a digit needs a few hundred pixels."""

CPU_SECONDS = 2.0
"""Maximum CPU time that the process that decodes may spend on one image."""

MEMORY_BYTES = 256 * 2**20
"""Maximum memory that the process that decodes may take for one image, beyond what it takes when it is idle."""

WALL_SECONDS = 30
"""Maximum time that one image may take where the CPU time does not end it first, in whole seconds."""
