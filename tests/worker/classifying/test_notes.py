"""Facts about the notes that a classifying process leaves, with real processes that are killed."""

import contextlib
import os
import signal

import pytest

from worker.classifying.notes import ProcessNotes
from worker.contract.ledger import Part

PART = Part("job", 3, 0, 100)
OTHER = Part("job", 4, 0, 100)


@pytest.fixture
def notes():
    """The notes of a worker that has just started."""
    return ProcessNotes()


def die(work):
    """Run a function in a forked process that is killed when the function returns."""
    child = os.fork()
    if not child:
        work()
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)


def test_a_death_is_told_by_its_part_once(notes):
    """Also if the next process has begun in the meantime, and works on something else."""

    def work():
        notes.begin()
        with notes.working(PART), notes.classifying("v1"):
            os.kill(os.getpid(), signal.SIGKILL)

    die(work)
    notes.begin()
    with notes.working(OTHER), notes.classifying("v2"):
        assert notes.died_on(PART) == ("v1", "")
    assert notes.died_on(PART) == ("", "")
    assert notes.died_on(OTHER) == ("", "")


def test_another_process_sees_whether_this_one_works(notes):
    """The lane's process tells its clients that jobs are classified as well."""
    notes.begin()
    assert not notes.is_working()
    with notes.working(PART):
        assert notes.is_working()
    assert not notes.is_working()


def test_a_process_that_dies_while_another_version_compares_tells_that_version(notes):
    """The canary is not to blame if the previous version ends the process."""

    def work():
        notes.begin()
        with notes.working(PART), notes.classifying("canary"):
            with notes.classifying("passes"):
                pass
            with notes.classifying("before"):
                os.kill(os.getpid(), signal.SIGKILL)

    die(work)
    assert notes.died_on(PART) == ("before", "")


def test_a_process_that_dies_while_it_decodes_accuses_no_version(notes):
    """The images may be to blame, unless another version was being loaded meanwhile."""

    def decode(loading):
        notes.begin()
        with notes.working(PART), notes.loading("new") if loading else contextlib.nullcontext():
            os.kill(os.getpid(), signal.SIGKILL)

    die(lambda: decode(loading=False))
    assert notes.died_on(PART) == ("", "")
    die(lambda: decode(loading=True))
    assert notes.died_on(PART) == ("", "new")


def test_the_next_process_learns_what_was_being_loaded(notes):
    """It learns nothing if the process before had loaded everything."""

    def load():
        notes.begin()
        with notes.loading("v1"):
            os.kill(os.getpid(), signal.SIGKILL)

    die(load)
    assert notes.begin() == "v1"
    with notes.loading("v2"):
        pass
    assert notes.begin() == ""


def test_an_error_leaves_no_note(notes):
    """The process lives on, so there is nothing to tell."""
    notes.begin()
    with pytest.raises(RuntimeError), notes.working(PART), notes.classifying("v1"):
        raise RuntimeError
    assert notes.died_on(PART) == ("", "")


def test_models_that_have_passed_are_known_to_the_next_process(notes):
    """The list is bounded. The latest ones stay."""
    digests = [bytes([number]) * 32 for number in range(1, 41)]

    def work():
        for digest in digests:
            notes.add_passed(digest)

    die(work)
    assert [notes.has_passed(digest) for digest in digests] == [False] * 24 + [True] * 16


def test_names_of_any_length_and_kind_fit(notes):
    """A job may ask for anything. A note that does not fit tells of no part, and harms no other note."""
    notes.begin()
    long = Part("j" * 2000, 1, 0, 1)
    with notes.loading("loaded"), notes.working(long), notes.classifying("é\udcff" * 400):
        assert notes.died_on(long) == ("", "")
        assert notes.begin() == "loaded"
