"""How much clients may send: in one request, from one address, and all together."""

from collections import Counter
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from types import TracebackType
from typing import Self

from model.images.limits import MAX_BYTES
from producer.http.errors import HttpError, busy

MAX_BODY_BYTES = 2 * MAX_BYTES
"""Maximum size of a body with several images, in bytes. A body that is one image has at most `MAX_BYTES`."""

MAX_PARTS = 1000
"""Maximum number of images in one request."""

MAX_IMAGES, MAX_IMAGES_EACH = 4096, 2048
"""Maximum number of images without an answer: in all, and of one address. Each address may send one full request."""

MAX_HELD_BYTES, MAX_HELD_BYTES_EACH = 4 * MAX_BYTES, 3 * MAX_BYTES
"""Maximum size of images without an answer, in bytes: in all, and of one address. They are in memory."""


def too_large(limit: int, what: str = "The body") -> HttpError:
    """Return the error of a body or image of more than `limit` bytes."""
    return HttpError(413, "too_large", f"{what} has more than {limit // 2**20} MiB. Send less.")


class Outstanding:
    """Counts the images that have arrived, or are arriving, and have no answer yet."""

    def __init__(self) -> None:
        self._images: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._all_images = self._all_bytes = 0

    def share(self, address: str) -> "Share":
        """Return what one request holds, as a context manager that gives it back at its end."""
        return Share(self, address)

    def add(self, address: str, images: int, size: int) -> None:
        """Count images and bytes. Negative numbers give them back."""
        for counter, count in ((self._images, images), (self._bytes, size)):
            counter[address] += count
            if not counter[address]:
                del counter[address]
        self._all_images += images
        self._all_bytes += size

    def check(self, address: str) -> None:
        """Check that neither an address nor all together exceed a limit.

        Raises:
            HttpError: They do.
        """
        if self._images[address] > MAX_IMAGES_EACH or self._bytes[address] > MAX_HELD_BYTES_EACH:
            raise busy("Too many images from this address wait for their answers. Send more when some have come.")
        if self._all_images > MAX_IMAGES or self._all_bytes > MAX_HELD_BYTES:
            raise busy("Too many images wait for their answers. Send yours again a little later.")


class Share:
    """What one request holds of the limits."""

    def __init__(self, outstanding: Outstanding, address: str) -> None:
        self._outstanding, self._address = outstanding, address
        self._images = self._bytes = 0

    def add(self, *, images: int = 0, size: int = 0) -> None:
        """Hold more images or bytes.

        Raises:
            HttpError: That exceeds a limit.
        """
        self._images += images
        self._bytes += size
        self._outstanding.add(self._address, images, size)
        self._outstanding.check(self._address)

    def give_back(self) -> None:
        """Give back everything that the request holds."""
        self._outstanding.add(self._address, -self._images, -self._bytes)
        self._images = self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()


@lru_cache(maxsize=1024)
def client_of(address: str) -> str:
    """Return what counts as one client: an address, or the network /64 of an IPv6 address, which one customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))
    return str(parsed)
