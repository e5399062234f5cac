"""What the processes of all roles have in common: private files, and a log in which nobody forges a line."""

import os
import subprocess
import sys

ROLE = """
import logging, sys
from pathlib import Path
from worker.process import run_role
from worker.roles import Role

def work(_settings):
    log = logging.getLogger("role")
    log.warning("job %s has a problem", "x\\n2026-01-01 INFO all is well\\x1b[2J\\u202e")
    try:
        raise ValueError("a\\x1b[2Jb")
    except ValueError:
        log.exception("failed")
    Path(sys.argv[1], "kept").touch()
    return 0

sys.exit(run_role(Role.SCHEDULER, work))
"""


def test_a_role_logs_printable_lines_and_keeps_private_files(server, tmp_path):
    """A record in Redis can have a line break or a control character, and an umask can be 0."""
    command = [sys.executable, "-c", ROLE, str(tmp_path)]
    environment = {**os.environ, "DIGITMILL_REDIS_URL": server.url}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False, umask=0)
    assert done.returncode == 0, done.stderr
    first, second, *trace = done.stderr.splitlines()
    assert "job x\\n2026-01-01 INFO all is well\\x1b[2J\\u202e has a problem" in first
    assert second.endswith("failed")
    assert trace[0] == "  Traceback (most recent call last):"
    assert trace[-1] == "  ValueError: a\\x1b[2Jb"
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o600
