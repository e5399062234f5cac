"""What an image costs: the CPU time of each kind of process, and the memory of workers and server."""

import os
from typing import NamedTuple

import psutil

KINDS = ("client", "server", "worker main", "classifying")
"""Kinds of processes of a mill. `classifying` is all that a worker forks: also what answers single images, which costs
nothing while only jobs run."""

SERVING = ("http", "peer")
"""Kinds of processes that answer over HTTP: `digitmill serve`, and all of a peer."""


class Memory(NamedTuple):
    """Memory in bytes."""

    worker: float  # proportional set size of all processes of a worker, on average
    server: int  # resident set of the server


def cpu_seconds() -> dict[str, float]:
    """Return the CPU time so far of this process and of those that it started, by kind."""
    seconds = dict.fromkeys((*KINDS, *SERVING), 0.0)
    for kind, process in _processes():
        times = process.cpu_times()
        seconds[kind] += times.user + times.system
    return seconds


def memory() -> Memory:
    """Return the present memory of the mill that this process started."""
    found = list(_processes())
    workers = sum(kind == "worker main" for kind, _ in found)
    shared = [process.memory_full_info().pss for kind, process in found if kind in {"worker main", "classifying"}]
    return Memory(
        sum(shared) / max(workers, 1), sum(process.memory_info().rss for kind, process in found if kind == "server")
    )


def _processes() -> list[tuple[str, psutil.Process]]:
    """Return this process and those that it started, each with its kind."""
    me = psutil.Process(os.getpid())
    found = [("client", me)]
    for process in me.children():
        words = process.cmdline()
        if "worker" in words:
            found.append(("worker main", process))
            found += [("classifying", child) for child in process.children(recursive=True)]
        elif words and "server" in words[0]:
            found.append(("server", process))
        elif "serve" in words:
            found.append(("http", process))
        else:
            found += [("peer", each) for each in (process, *process.children(recursive=True))]
    return found
