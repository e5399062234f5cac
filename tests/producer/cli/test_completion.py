"""What the shell offers when a user presses Tab."""

import os
import shutil
import socket
import subprocess
import time

import pytest
from click.shell_completion import ShellComplete

from producer.cli import completion
from producer.cli.main import main
from tests.support.command import DIGITMILL
from worker.contract.connection import connect
from worker.contract.ledger import JobRecord, Ledger


@pytest.fixture
def here(tmp_path, monkeypatch, server):
    """Work in a folder of the test, beside a mill with one job."""
    client = connect(server.url)
    client.flushall()
    Ledger(client).create("261126-a", JobRecord("scans/\x1b[2J", "live", "host-1", {}, ""))
    client.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DIGITMILL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DIGITMILL_REDIS_URL", server.url)
    monkeypatch.setattr(completion, "WAIT_SECONDS", 30.0)  # this machine may be busy
    return tmp_path


def offered(*words):
    """Return what is offered for the last word, with its description."""
    shell = ShellComplete(main, {}, "digitmill", "_DIGITMILL_COMPLETE")
    return {item.value: item.help for item in shell.get_completions(list(words[:-1]), words[-1])}


@pytest.mark.usefixtures("here")
def test_jobs_are_offered_with_their_states():
    """Wherever a command takes one. What others wrote there cannot control the terminal."""
    jobs = {"last": "the newest job", "261126-a": "submitting: scans/\\x1b[2J"}
    for words in (["show"], ["wait"], ["review"], ["resume"], ["compare"], ["compare", "last"], ["-q", "report", "-v"]):
        assert offered(*words, "") == jobs, words
    assert offered("show", "26").keys() == {"261126-a"}


@pytest.mark.usefixtures("here")
def test_versions_and_aliases_are_offered():
    """Wherever a command takes one."""
    for words in (["models", "show"], ["models", "compare", "live"], ["models", "delete", "x"], ["submit", "--model"]):
        found = offered(*words, "")
        assert found["live"] == found["baseline"], words
        assert found[found["live"] or ""] == "live"


def test_reports_logs_kinds_and_schemas_are_offered(here):
    """Reports are those below the current folder. Otherwise the shell looks for folders itself."""
    (here / "reports" / "a").mkdir(parents=True)
    (here / "reports" / "b").mkdir()
    (here / "reports" / "a" / "report.json").touch()
    (here / "data" / "workers").mkdir(parents=True)
    (here / "data" / "workers" / "worker-1.log").touch()
    assert offered("review", "last", "--out", "") == {"reports/a": "a report"}
    shell = ShellComplete(main, {}, "digitmill", "_DIGITMILL_COMPLETE")
    assert [item.type for item in shell.get_completions(["submit", "x", "--out"], "other")] == ["dir"]
    assert offered("logs", "w").keys() == {"worker-1"}
    assert offered("clean", "l").keys() == {"logs"}
    assert offered("schemas", "models l").keys() == {"models list"}
    assert "clean" in offered("cl")


def test_nobody_waits_for_a_redis_that_does_not_answer(here, monkeypatch):
    """What this machine knows is offered instead, however wrong the settings are."""
    (here / "data" / "jobs").mkdir(parents=True)
    (here / "data" / "jobs" / "mine.order").touch()
    monkeypatch.setattr(completion, "WAIT_SECONDS", 0.1)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("DIGITMILL_REDIS_URL", f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        began = time.monotonic()
        assert offered("show", "").keys() == {"last", "mine"}
        assert time.monotonic() - began < 5  # without the limit, the connection would wait that long by itself
        assert offered("models", "show", "").keys() == {"baseline"}
    monkeypatch.setenv("DIGITMILL_REDIS_URL", "nonsense")
    assert offered("models", "show", "").keys() == {"baseline"}
    monkeypatch.setenv("DIGITMILL_OFFLINE", "perhaps")
    assert offered("show", "") == offered("logs", "") == {}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_each_shell_completes(shell, here):
    """In a real shell, with the installed program. The job is also here, because Redis may answer too late."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    environment = {**os.environ, "PATH": f"{DIGITMILL.parent}{os.pathsep}{os.environ['PATH']}"}
    script = subprocess.check_output(
        [DIGITMILL], env={**environment, "_DIGITMILL_COMPLETE": f"{shell}_source"}, text=True
    )
    (here / "script").write_text(script)
    (here / "data" / "jobs").mkdir(parents=True)
    (here / "data" / "jobs" / "261126-a.order").touch()
    ask = {
        "bash": "source ./script; COMP_WORDS=(digitmill show 26); COMP_CWORD=2; _digitmill_completion digitmill; "
        'echo "${COMPREPLY[@]}"',
        "zsh": "autoload -U compinit; compinit -D; source ./script; echo $_comps[digitmill]",
        "fish": "source ./script; complete -C 'digitmill show 26'",
    }
    done = subprocess.run(
        [shell, "-c", ask[shell]], env=environment, cwd=here, capture_output=True, text=True, check=True
    )
    assert ("_digitmill_completion" if shell == "zsh" else "261126-a") in done.stdout
    assert done.stderr == ""
