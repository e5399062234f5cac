"""The limits of the process in which a model is tried. The process and its parent share them."""

from typing import Final

MEMORY_BYTES: Final = 64 * 1024 * 1024
"""Memory that loading and running a model may take beyond that of the idle process.

A worker keeps at most four versions loaded, so that models take at most half of the 512 MB that its container has. The
baseline takes a small part of this.
"""

CPU_SECONDS: Final = 2
"""CPU time that loading and running a model may take, and a second more for every 1,000 images that it classifies.

The baseline takes a small part of this, so that a far slower machine still has time.
"""

WALL_SECONDS: Final = 25
"""Time after which the process is killed, and as much more for every 1,000 images that it classifies.

It is only a backstop, because a busy machine must not condemn a model.
"""

READY: Final = b"ready"
"""First line of the process's reply: the baseline has run, and what happens next is the model's own doing."""

REMEDY: Final = "Export it again with this version of digitmill, or use another version."
