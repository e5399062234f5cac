"""Facts about reading bodies: whatever the pieces in which they come, and whatever is in them."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producer.http import bodies, limits
from producer.http.bodies import kind_of, read_form, read_image
from producer.http.errors import Disconnected, HttpError
from producer.http.limits import Outstanding, client_of

BOUNDARY = b"--digit--mill"


def pieces_of(body, cuts):
    """Cut a body into pieces, some of which are empty."""
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(places)]


def receiver(pieces, *, ends=True):
    """Return the pieces as ASGI does. Without an end, the client disconnects."""
    left = list(pieces)

    async def receive():
        if not left:
            return {"type": "http.disconnect"}
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left) or not ends}

    return receive


def form_of(parts):
    """Return a form with these names and contents."""
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"\r\nContent-Type: image/png\r\n\r\n%b\r\n'
    return b"".join(head % (BOUNDARY, name, content) for name, content in parts) + b"--%b--\r\n" % BOUNDARY


def form_kind(length=None):
    """Return the kind of such a form, as its headers tell it."""
    headers = [(b"content-type", b'multipart/form-data; boundary="%b"' % BOUNDARY)]
    if length is not None:
        headers.append((b"content-length", b"%d" % length))
    return kind_of(headers)


def read(reader, *arguments, outstanding=None):
    """Run a reader as a request does. Afterwards nothing is held any more."""
    counted = outstanding or Outstanding()

    async def run():
        with counted.share("a") as share:
            return await reader(*arguments, share)

    try:
        return asyncio.run(run())
    finally:
        if outstanding is None:
            assert not any((counted._images, counted._bytes, counted._all_images, counted._all_bytes))


names = st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1, max_size=30)
like_boundaries = st.lists(st.sampled_from([b"\r\n--", b"\r", b"\n", b"-", BOUNDARY[:5], b"x"]), max_size=12).map(
    b"".join
)
contents = st.one_of(st.binary(max_size=300), like_boundaries).filter(lambda content: BOUNDARY not in content)
cuts = st.lists(st.integers(0, 10**6), max_size=12)


@given(st.lists(st.tuples(names.map(str.encode), contents), min_size=1, max_size=6), cuts)
def test_a_form_gives_its_parts_however_it_is_cut(parts, where):
    """Names and contents are those that were sent, in order."""
    body = form_of(parts)
    images = read(read_form, receiver(pieces_of(body, where)), form_kind(len(body)))
    assert [(image.name.encode(), image.content) for image in images] == parts


@given(st.binary(max_size=2000), cuts)
def test_an_image_is_the_body_however_it_is_cut(body, where):
    """Not a byte more or less."""
    assert read(read_image, receiver(pieces_of(body, where)), None) == body


@given(st.one_of(st.binary(max_size=400), like_boundaries), st.binary(max_size=80), cuts)
def test_a_form_of_anything_is_read_or_refused(noise, harm, where):
    """No other error, and nothing is held afterwards."""
    whole = form_of([(b"a", b"1"), (b"b", b"2")])
    place = len(harm) * 3 % len(whole)
    for body in (noise, whole[:place] + harm + whole[place:], whole[: -len(harm) or None]):
        fault = None
        try:
            images = read(read_form, receiver(pieces_of(body, where)), form_kind())
        except HttpError as refusal:
            fault = refusal
        assert images if fault is None else (fault.status, fault.code) == (400, "bad_form")


def test_a_client_that_leaves_gets_no_answer():
    """What has arrived is dropped."""
    with pytest.raises(Disconnected):
        read(read_image, receiver([b"x"], ends=False), None)
    with pytest.raises(Disconnected):
        read(read_form, receiver([form_of([(b"a", b"1")])[:40]], ends=False), form_kind())


def test_a_part_has_the_name_of_its_file_or_else_of_its_field():
    """Names are cut, and bytes that are not UTF-8 are replaced."""
    head = b"--%b\r\nContent-Disposition: form-data; %b\r\n\r\nx\r\n"
    given_names = [
        b'name="f"; filename="a.png"',
        b'name="f"',
        b"name=f",
        b'name="\xff"',
        b'name="%b"' % (b"n" * 900),
        b"",
    ]
    body = b"".join(head % (BOUNDARY, each) for each in given_names) + b"--%b--\r\n" % BOUNDARY
    images = read(read_form, receiver([body]), form_kind())
    assert [image.name for image in images] == ["a.png", "f", "f", "\ufffd", "n" * bodies.MAX_NAME, ""]


@pytest.mark.parametrize(
    ("parts", "status", "code"),
    [
        ([(b"a", b"")] * (limits.MAX_PARTS + 1), 413, "too_many_images"),
        ([(b"n" * (bodies.MAX_PART_HEADER_BYTES + 100), b"")], 400, "bad_form"),
        ([], 400, "bad_form"),
    ],
)
def test_a_form_that_is_too_much_is_refused(parts, status, code):
    """By the number of its parts, and by their headers."""
    with pytest.raises(HttpError) as caught:
        read(read_form, receiver([form_of(parts)]), form_kind())
    assert (caught.value.status, caught.value.code) == (status, code)


def test_a_body_is_refused_when_its_limit_is_reached(monkeypatch):
    """By its declared length, or by what arrives."""
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 2**20)
    monkeypatch.setattr(bodies, "MAX_BYTES", 2**20)
    asked = 0

    async def endless():
        nonlocal asked
        asked += 1
        return {"type": "http.request", "body": bytes(2**16), "more_body": True}

    for reader, kind, unread in ((read_image, None, 2**20 + 1), (read_form, form_kind(), form_kind(2**20 + 1))):
        with pytest.raises(HttpError) as caught:
            read(reader, endless, unread)
        assert (caught.value.status, asked) == (413, 0)
        with pytest.raises(HttpError) as caught:
            read(reader, endless, kind)
        assert caught.value.status in ({413} if reader is read_image else {400, 413})
        assert asked <= 17
        asked = 0


def test_a_part_that_is_too_large_is_dropped_while_it_arrives(monkeypatch):
    """The others stay."""
    monkeypatch.setattr(bodies, "MAX_BYTES", 1000)
    body = form_of([(b"a", b"1"), (b"b", b"x" * 1001), (b"c", b"y" * 1000)])
    images = read(read_form, receiver(pieces_of(body, range(0, 2000, 7))), form_kind())
    assert [image.content if isinstance(image.content, bytes) else image.content.code for image in images] == [
        b"1",
        "too_large",
        b"y" * 1000,
    ]


def test_each_address_and_all_together_have_a_limit(monkeypatch):
    """The error says which one."""
    monkeypatch.setattr(limits, "MAX_IMAGES", 5)
    monkeypatch.setattr(limits, "MAX_IMAGES_EACH", 3)
    monkeypatch.setattr(limits, "MAX_HELD_BYTES", 50)
    monkeypatch.setattr(limits, "MAX_HELD_BYTES_EACH", 30)
    outstanding = Outstanding()
    with outstanding.share("a") as one, outstanding.share("b") as two, outstanding.share("a") as again:
        one.add(images=2, size=20)
        for more in ({"images": 2}, {"size": 11}):
            with outstanding.share("a") as other, pytest.raises(HttpError, match="this address"):
                other.add(**more)
        again.add(images=1, size=10)
        two.add(images=2)
        with outstanding.share("c") as other, pytest.raises(HttpError, match="Too many images wait"):
            other.add(images=1)
        with outstanding.share("c") as other, pytest.raises(HttpError, match="Too many images wait"):
            other.add(size=21)
    with outstanding.share("c") as other:
        other.add(images=3, size=30)


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("-", "-"),
    ],
)
def test_a_network_of_one_customer_is_one_client(address, client):
    """With IPv6, a customer has more addresses than anybody could count."""
    assert client_of(address) == client
