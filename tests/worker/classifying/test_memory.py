"""Facts about the memory that a worker gives back."""

import subprocess
import sys

import pytest

from worker.classifying.memory import _unchanged_files

PROGRAM = """
import numpy as np
from model.inference.classifier import Classifier
from worker.classifying.memory import give_back_files

def resident():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssFile"))

images = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
before = Classifier.baseline().classify(images).probabilities
held = resident()
give_back_files()
kept = resident()
assert (Classifier.baseline().classify(images).probabilities == before).all()
print(held, kept)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is mapped")
def test_the_pages_of_libraries_are_given_back_and_come_again():
    """The process works on as before, and has less than half of them right after it gave them back."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, encoding="utf-8", check=True)
    held, kept = map(int, done.stdout.split())
    assert kept < held / 2


KEPT = """
import platform, resource
from io import BytesIO
import numpy as np
from PIL import Image
from model.images.preprocess import preprocess
from worker.classifying.memory import keep_memory

def faults(images):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(images):
        preprocess(file)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / images

paper = np.random.default_rng(0).integers(200, 256, (800, 800, 3), np.uint8)
paper[200:600, 360:440] = 30
with BytesIO() as stream:
    Image.fromarray(paper).save(stream, "PNG")
    file = stream.getvalue()
before = faults(5)
keep_memory()
faults(2)
print(platform.libc_ver()[0], before, faults(5))
"""


def test_a_process_keeps_the_memory_of_one_large_picture_for_the_next():
    """The kernel clears hundreds of pages for each picture before, and hardly any after."""
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, encoding="utf-8", check=True)
    library, *numbers = done.stdout.split()
    if library != "glibc":
        pytest.skip("only glibc gives memory back at once, and can be told not to")
    before, after = map(float, numbers)
    assert before > 500
    assert after < before / 10


IDLE = """
import numpy as np
from worker.classifying.memory import IDLE_SECONDS, IdleMemory

def resident():
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))

def work():
    blocks = [np.ones(64 * 1024, np.uint8) for _ in range(400)]
    return blocks[-1]  # so the C library cannot give back what is before it

now, worked, working = 0.0, 0, False
memory = IdleMemory(lambda: worked, lambda: working, clock=lambda: now)
found = []
for step in ("begins", "works", "has worked", "waits", "is idle", "is idle again"):
    if step == "works":
        worked, working, last = 1, True, work()
    elif step == "has worked":
        working = False
    elif step == "is idle":
        now += IDLE_SECONDS
    elif step == "is idle again":
        now, last = now + IDLE_SECONDS, work()
    memory.tick()
    now += 0.25
    found.append(resident() // 1024)
print(*found)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how much memory is in use")
def test_memory_is_given_back_once_after_work():
    """A process keeps it while it works and for a second after that, and looks again only when it has worked again."""
    done = subprocess.run([sys.executable, "-c", IDLE], capture_output=True, encoding="utf-8", check=True)
    before, working, worked, waiting, idle, again = map(int, done.stdout.split())
    assert min(working, worked, waiting) > before + 20
    assert idle < before + 5
    assert again > before + 20


SMAPS = """\
7f00{place}000-7f00{place}800 {rights} 00001000 fe:01 1234                       {file}
Size:                  8 kB
Anonymous:             {anonymous} kB
Swap:                  {swap} kB
VmFlags: rd mr mw me
"""


@pytest.mark.parametrize(
    ("different", "given_back"),
    [
        ({}, True),
        ({"rights": "r-xp"}, True),
        ({"rights": "rw-p"}, False),
        ({"anonymous": "4"}, False),
        ({"swap": "4"}, False),
        ({"file": "[vdso]"}, False),
        ({"file": "/usr/lib/locale/locale-archive"}, False),
        ({"file": "/usr/bin/python"}, True),
        ({"file": "/lib/libc.so.6"}, True),
    ],
)
def test_only_pages_that_can_be_read_again_are_given_back(different, given_back):
    """What a process has changed in a mapping is in no file, also where the rights no longer allow changes.

    Other files than libraries and the program may be replaced by something else at any moment.

    The system may have swapped it out, and does not count it as anonymous memory then.
    """
    plain = {"place": "1", "rights": "r--p", "file": "/lib/libc.so", "anonymous": "0", "swap": "0"}
    text = SMAPS.format_map(plain | different) + SMAPS.format_map(plain | {"place": "2"})
    found = list(_unchanged_files(text.splitlines(), program="/usr/bin/python"))
    assert found == [(0x7F001000, 0x7F001800)] * given_back + [(0x7F002000, 0x7F002800)]
