"""Giving memory back to the system."""

import ctypes


def give_back_memory() -> None:
    """Return the free pages of the C heap to the system, where its library can (glibc's).

    Models come and go as a few large pieces among many small ones, and by itself the heap keeps what lies between:
    after 200 loads a process is 5 MB larger without this, and 1 MB with it.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)
