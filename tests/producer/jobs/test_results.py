"""Names of a job in little memory."""

from hypothesis import given
from hypothesis import strategies as st

from producer.jobs.results import Names

ANY = st.text(st.characters(exclude_categories=()), max_size=12)


@given(st.lists(st.one_of(st.from_regex(r"[a-z0-9/.]{0,12}", fullmatch=True), ANY), max_size=20), st.slices(20))
def test_packed_names_are_those_of_a_list(names: list[str], some: slice) -> None:
    """Also a part of them, whether they are ASCII, empty, or bytes that are not UTF-8."""
    packed = Names(names[:7])
    packed += Names(names[7:])
    assert list(packed) == names
    assert packed[some] == names[some]
    assert [packed[index] for index in range(-len(names), len(names))] == names * 2
