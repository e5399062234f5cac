"""Sources of images: whatever `digitmill submit` and `classify` can be given, as one stream of named, labelled images.

Nothing is decoded here: encoded files are passed on as they are, for the workers to decode. Nothing is unpacked to
disk. One image is in memory at a time. A file that cannot be read is a row with a `Failure` among its neighbours;
only what makes the whole source meaningless is a `UsageError`.
"""

from producer.sources.opening import join_sources, mnist_source, open_each, open_path_list, open_source
from producer.sources.source import ImageContent, Source, SourceImage

__all__ = [
    "ImageContent",
    "Source",
    "SourceImage",
    "join_sources",
    "mnist_source",
    "open_each",
    "open_path_list",
    "open_source",
]
