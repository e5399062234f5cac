"""Identifiers that come from Redis are checked before they become a path, a key or a printed line."""

import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.errors import WireError
from worker.contract.validation.identifiers import (
    Kind,
    host_name,
    is_valid,
    new_job_identifier,
    process_name,
    read,
    shown,
)


def test_new_identifiers_sort_by_time_and_can_be_typed() -> None:
    """They begin with the time (UTC), and have only lower-case letters, digits and hyphens."""
    before = int(time.time())
    name = new_job_identifier()
    made = datetime.strptime(name[:13], "%y%m%d-%H%M%S").replace(tzinfo=UTC)
    assert before <= made.timestamp() <= time.time()
    assert re.fullmatch(r"\d{6}-\d{6}-[a-z0-9]{8}", name)


def test_new_identifiers_of_the_same_second_differ() -> None:
    """Three random characters, as in 0.1.0, collided once in 30,000 pairs of jobs of the same second."""
    assert len({new_job_identifier()[14:] for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("name", ["261123-142501-k7q", "261123-142501-k7qx2mta", "j", "261123-1430-cron"])
def test_identifiers_of_all_releases_are_valid(name: str) -> None:
    """Version 0.1.0 wrote three random characters, and the scheduler writes the minute."""
    assert read(Kind.JOB, name) == read(Kind.TRAINING, name.encode()) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../../x",
        "/etc/passwd",
        "a/b",
        "a\\b",
        "-rf",
        ".hidden",
        "a b",
        "a\n",
        "\x1b[31mred",
        "a\x00",
        "é",
        "٣",  # a digit, but not of ASCII
        "\udcff",
        "a" * 129,
    ],
)
@pytest.mark.parametrize("kind", Kind)
def test_what_could_harm_a_path_a_key_or_a_terminal_is_refused(kind: Kind, name: str) -> None:
    """Whatever kind of identifier it pretends to be. The message shows it in printable ASCII."""
    assert not is_valid(kind, name)
    with pytest.raises(WireError) as refused:
        read(kind, name)
    assert str(refused.value).isascii()
    assert str(refused.value).isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_either_a_safe_name_or_refused(data: bytes) -> None:
    """A safe name is a file name on every system, and part of a key without a `/`."""
    for kind in Kind:
        if is_valid(kind, data):
            name = read(kind, data)
            assert name.encode() == data
            assert not set(name) & set('/\\:*?"<>| ')
            assert name.isprintable()
            assert name[0] not in ".-"
    assert len(shown(data)) < 300
    assert shown(data).isprintable()


@given(st.text(max_size=300))
def test_the_name_of_a_process_is_valid_whatever_its_host_is_called(host: str) -> None:
    """A host may have any name, and its workers must still be listed."""
    name = process_name(host, 2**22)
    assert is_valid(Kind.PROCESS, name)
    assert name.rpartition("-")[0] == host_name(host)
