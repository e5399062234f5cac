"""Sources of images: everything that `digitmill submit` and `classify` accept, as a stream of named, labelled images.

A source decodes nothing: it passes encoded files on unchanged, and the workers decode them. It unpacks nothing to disk,
and has one image in memory at a time. A file that cannot be read becomes a `Failure` among its neighbours. Only a fault
of the whole source is a `UsageError`.
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
