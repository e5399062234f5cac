"""The bounds of everything that travels through Redis.

Whoever can write to Redis is not trusted to respect them, so readers check the size of a record before they parse it,
and the number of its elements before they build any of them.
"""

from model.images.limits import MAX_BYTES

MAX_IMAGES = 8192
"""Maximum number of images in a batch, and of rows in a manifest. It is also the maximum of `--batch-size`."""

MAX_DIGITS = 64
"""Maximum number of digits that are read in one image, and of digits in a label. An IBAN has at most 34 characters."""

MAX_BATCH_BYTES = MAX_BYTES + 2**20
"""Maximum size of an encoded batch: one file of the maximum size, or 8192 raw images (6 MiB), and a few bytes each."""

MAX_NAMES_BYTES = 2**20
"""Size of the names of a batch beyond which it is closed, so that its manifest stays small."""

MAX_MANIFEST_BYTES = 32 * 2**20
"""Maximum size of an encoded manifest: its names, and a failure for each image."""

MAX_RESULT_BYTES = 32 * 2**20
"""Maximum size of an encoded result: 45 bytes for each digit, and a failure for each image."""

MAX_SENTENCE = 500
"""Maximum length of the sentence of a failure, in characters. A longer one is cut when it is written."""

MAX_RECORD_BYTES = 2**20
"""Maximum size of a record in JSON, such as that of a job: far above the longest path and the longest list of globs."""

MAX_COUNT = 10**15
"""Maximum of every counter. It can be added up without losing precision, also in Lua."""

MAX_TEXT = 1000
"""Maximum length of a sentence about a job, a worker or a training, in characters."""
