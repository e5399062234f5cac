"""Facts about what the processes with limits have in common."""

import subprocess
import sys

import pytest

from model.child_process import named_end

PROGRAM = """
import resource
from model.child_process import limit
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 50))
limit(resource.RLIMIT_NOFILE, 60)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
limit(resource.RLIMIT_NOFILE, 20, 30)
print(resource.getrlimit(resource.RLIMIT_NOFILE))
"""


def test_a_lower_limit_that_is_there_already_stays():
    """An administrator's `ulimit` makes no process fail, so no model or image is blamed for it."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.split("\n") == ["(40, 50)", "(20, 30)", ""]


@pytest.mark.parametrize(("code", "words"), [(3, "exit code 3"), (-9, "SIGKILL"), (-35, "signal 35")])
def test_every_end_has_words(code, words):
    """Also that by a signal without a name."""
    assert named_end(code) == words
