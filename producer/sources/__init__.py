"""Sources of images: everything that `digitmill submit` and `classify` accept, as a stream of named, labelled images.

A source decodes nothing. It passes encoded files on unchanged, and the workers decode them. It unpacks nothing to disk,
and has one file, or one block of an array, in memory at a time. A file that cannot be read gives a `Failure` in its
place, and the others are read. Only a fault of the whole source raises a `UsageError`.
"""

from producer.sources.folders.growing import GrowingFolder, ImageList, ListedImage
from producer.sources.form import UNCHANGED, Form
from producer.sources.opening import (
    array_source,
    join_sources,
    mnist_source,
    open_each,
    open_growing,
    open_listed,
    open_path_list,
    open_several,
    open_source,
)
from producer.sources.path_list import read_paths
from producer.sources.source import ImageContent, Source, SourceBlock, SourceImage

__all__ = [
    "UNCHANGED",
    "Form",
    "GrowingFolder",
    "ImageContent",
    "ImageList",
    "ListedImage",
    "Source",
    "SourceBlock",
    "SourceImage",
    "array_source",
    "join_sources",
    "mnist_source",
    "open_each",
    "open_growing",
    "open_listed",
    "open_path_list",
    "open_several",
    "open_source",
    "read_paths",
]
