"""Names and versions of a job's images in little memory."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from producer.jobs.texts import Names, Versions

ANY = st.text(st.characters(exclude_categories=()), max_size=12)


@given(st.lists(st.one_of(st.from_regex(r"[a-z0-9/.]{0,12}", fullmatch=True), ANY), max_size=20), st.slices(20))
def test_packed_names_are_those_of_a_list(names: list[str], some: slice) -> None:
    """Also a part of them, whether they are ASCII, empty, or bytes that are not UTF-8."""
    packed = Names(names[:7])
    packed += Names(names[7:])
    assert list(packed) == names
    assert packed[some] == names[some]
    assert [packed[index] for index in range(-len(names), len(names))] == names * 2


@given(st.lists(st.integers(0, 19), max_size=9), st.lists(ANY, min_size=20, max_size=20), st.integers(0, 14))
def test_names_as_a_matrix_are_their_bytes(rows: list[int], names: list[str], width: int) -> None:
    """In any order, cut off at the width, and with their whole sizes."""
    matrix, sizes = Names(names).matrix(np.array(rows, np.intp), width)
    encoded = [names[row].encode("utf-8", "surrogatepass") for row in rows]
    assert sizes.tolist() == [len(each) for each in encoded]
    assert [bytes(row).rstrip(b"\0") for row in matrix] == [each[:width].rstrip(b"\0") for each in encoded]
    assert matrix.shape == (len(rows), min(width, max(map(len, encoded), default=0)))


@given(st.integers(1, 9), st.integers(0, 5))
def test_names_of_one_size_that_follow_each_other(count: int, size: int) -> None:
    """They are cut out as they lie there."""
    names = [str(row) * size for row in range(count)]
    matrix, _ = Names(["before", *names, "after"]).matrix(np.arange(1, count + 1), 100)
    assert [bytes(row).decode() for row in matrix] == names


@given(st.lists(st.sampled_from(["", "v1", "v2"]), max_size=9), st.slices(9))
def test_versions_are_those_of_a_list(texts: list[str], part: slice) -> None:
    """They can be looked up, cut, chosen and counted."""
    column = Versions.of(texts)
    assert column == texts
    assert column[part] == texts[part]
    assert [column[row] for row in range(-len(texts), len(texts))] == texts * 2
    assert column.some(list(reversed(range(len(texts))))) == texts[::-1]
    assert column.counts() == Counter(texts)
    assert list(column.counts()) == list(Counter(texts))
