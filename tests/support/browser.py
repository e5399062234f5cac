"""Chromium without a window, controlled over its DevTools protocol by a pipe, so that no driver is needed."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from select import select
from typing import Any

from tests.support.waiting import eventually

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""Path of the browser, or None where there is none."""

SECONDS = 60.0
"""Time after which the browser hangs, also on a busy machine."""

_KEYS = {
    " ": ("Space", 32),
    "Backspace": ("Backspace", 8),
    "End": ("End", 35),
    "Enter": ("Enter", 13),
    "Tab": ("Tab", 9),
}


class Browser:
    """A browser with one page.

    Args:
        process: The browser.
        requests: File descriptor for what it is asked.
        answers: File descriptor of what it answers.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", requests: int, answers: int) -> None:
        self.process = process
        self._requests, self._answers = requests, answers
        self._received = b""
        self._count = 0
        self._session = ""
        self.faults: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        self._count += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._count, "method": method, "params": parameters, **session}
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._received:
            if not select([self._answers], [], [], SECONDS)[0]:
                raise TimeoutError("Chromium does not answer.")
            received = os.read(self._answers, 2**20)
            if not received:
                raise RuntimeError("Chromium has ended.")
            self._received += received
        message, _, self._received = self._received.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what went wrong on the page: exceptions, and what its policy forbids."""
        if event.get("method") == "Runtime.exceptionThrown":
            self.faults.append(str(event["params"]["exceptionDetails"]))
        if event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            self.faults.append(event["params"]["entry"]["text"])

    def open(self, path: Path) -> None:
        """Open a file, and wait until its script has run."""
        self._load("Page.navigate", url=path.absolute().as_uri())

    def reload(self) -> None:
        """Load the page again."""
        self._load("Page.reload")

    def _load(self, method: str, **parameters: Any) -> None:
        self.ask(method, **parameters)
        while (event := self._next()).get("method") != "Page.loadEventFired":
            self._note(event)

    def run(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript in the page, which may be a promise."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"].get("exception", {}).get("description", str(answer)))
        return answer["result"].get("value")

    def wait_for(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        self.until(lambda: self.run(expression))

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until a condition is true."""
        eventually(condition, seconds=SECONDS)

    def text(self) -> str:
        """Return the text that the page shows, also without its scripts."""
        nodes = self.ask("Accessibility.getFullAXTree")["nodes"]
        return " ".join(str(node["name"]["value"]) for node in nodes if "name" in node and not node.get("ignored"))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, as a person does."""
        for key in keys:
            code, number = _KEYS.get(key, (key, ord(key[0].upper()) if len(key) == 1 else 0))
            text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
            about = {"key": key, "code": code, "windowsVirtualKeyCode": number}
            self.ask("Input.dispatchKeyEvent", type="keyDown", **about, **text)
            self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector: str) -> None:
        """Click the middle of an element."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.run(f"{element}.scrollIntoView({{block: 'center'}})")
        at = self.run(
            f"(({{x, y, width, height}}) => [x + width / 2, y + height / 2])({element}.getBoundingClientRect())"
        )
        about = {"x": at[0], "y": at[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, **about)

    def look(self, width: int, *, dark: bool = False, height: int = 900) -> None:
        """Show the page at a width in pixels, in light or dark colours."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500
        )
        scheme = "dark" if dark else "light"
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """Write what the page shows as a PNG file."""
        path.write_bytes(b64decode(self.ask("Page.captureScreenshot", captureBeyondViewport=whole)["data"]))

    def print(self) -> bytes:
        """Return the page as it would be printed, as PDF."""
        return b64decode(self.ask("Page.printToPDF", preferCSSPageSize=True)["data"])

    def save_downloads(self, folder: Path) -> None:
        """Save what the page offers into a folder, without asking."""
        self.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))


@contextlib.contextmanager
def open_browser(profile: Path | None = None) -> Iterator[Browser]:
    """Start a browser with a profile of its own, and end it with the block."""
    assert CHROMIUM, "Chromium is not installed."
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()

    def take_descriptors() -> None:  # the browser reads from 3 and writes to 4
        # First to higher numbers, so that neither takes the place of the other.
        read, write = (fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (theirs_in, theirs_out))
        os.dup2(read, 3)
        os.dup2(write, 4)

    with tempfile.TemporaryDirectory(prefix="digitmill-chromium-", ignore_cleanup_errors=True) as folder:
        process = subprocess.Popen(
            [
                CHROMIUM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
                "--no-first-run",
                "--disable-dev-shm-usage", "--disable-extensions", "--disable-background-networking",
                "--hide-scrollbars", f"--user-data-dir={profile or folder}",
            ],
            preexec_fn=take_descriptors,  # noqa: PLW1509  the child only copies two descriptors
            close_fds=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            yield Browser(process, ours_out, ours_in)
        finally:
            process.kill()
            process.wait()
            os.close(ours_in)
            os.close(ours_out)
