"""What the processes of all roles have in common: private files, and a log in which nobody forges a line."""

import json
import os
import subprocess
import sys

import pytest

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


JSON_ROLE = """
import sys, threading, warnings
from worker.process import run_process

def work(_settings):
    warnings.warn("a library\\nwarns", stacklevel=1)
    thread = threading.Thread(target=lambda: 1 / 0, name="odd")
    thread.start()
    thread.join()
    raise RuntimeError("ends it")

sys.exit(run_process("worker", work))
"""


def run_json(code, **variables):
    """Run a process whose log is JSON, and return its exit code and the lines of its log as objects."""
    environment = {**os.environ, "DIGITMILL_LOG_FORMAT": "json", **variables}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    return done.returncode, [json.loads(line) for line in (done.stdout + done.stderr).splitlines()]


def test_all_that_a_process_says_in_json_is_json():
    """Also what libraries warn of, and what ends a thread or the whole process."""
    code, (warned, thread, process) = run_json(JSON_ROLE)
    assert code == 1
    assert "a library\nwarns" in warned["message"]
    assert thread["message"] == "digitmill itself failed in odd"
    assert "ZeroDivisionError" in thread["exception"]
    assert "RuntimeError: ends it" in process["exception"]
    assert {line["role"] for line in (warned, thread, process)} == {"worker"}


@pytest.mark.parametrize("role", ["worker", "worker.trainer", "worker.scheduler", "worker.exporter"])
def test_why_a_role_cannot_start_is_json_too(role):
    """Even if the settings cannot be read."""
    start = f"import runpy, sys; sys.argv = ['x']; runpy.run_module({role!r}, run_name='__main__')"
    code, [line] = run_json(start, DIGITMILL_REDIS_URL="http://nonsense")
    assert code == 2
    assert line["level"] == "CRITICAL"
    assert "DIGITMILL_REDIS_URL" in line["message"]
