"""Facts about the memory that a worker gives back."""

import subprocess
import sys

import pytest

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
