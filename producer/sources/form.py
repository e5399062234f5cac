"""The form of an array file: how its numbers become images. It is decided once for each file, and then only applied."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """How the numbers of one array file become images.

    Attributes:
        background: Number in the file that means no ink. It becomes 0.
        ink: Number in the file that means full ink. It becomes 255. In an inverted file it is below `background`.
        last: Whether the index of an image is the last axis of the array, and not the first.
        wrapped: Whether the file has bytes 0 to 255 that were stored as -128 to 127, where 255 has become -1.
        pictures: Whether each image is sent as a PNG file, and the workers prepare it as they prepare any file.
        sentence: What was recognised and done, for people; "" if nothing was.
    """

    background: float = 0.0
    ink: float = 255.0
    last: bool = False
    wrapped: bool = False
    pictures: bool = False
    sentence: str = ""

    @property
    def changes_nothing(self) -> bool:
        """Whether bytes are sent as they are."""
        return (self.background, self.ink, self.wrapped, self.pictures) == (0, 255, False, False)


UNCHANGED = Form()
"""The form of images in MNIST's form: uint8 (n, 28, 28), light ink on black."""
