"""A headless Chromium, spoken to over a pipe: no port is opened, and no driver is needed.

Source: the Chrome DevTools Protocol, https://chromedevtools.github.io/devtools-protocol/.
"""

from __future__ import annotations

import base64
import fcntl
import itertools
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path
from typing import Any, Final, Self

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    # Nothing outside of this machine has a name.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
    "about:blank",
)
_ANSWER_S: Final = 30.0
_KEYS: Final = {"Tab": 9, "Enter": 13, "Escape": 27, "Space": 32, "ArrowRight": 39}
_TEXTS: Final = {"Enter": "\r", "Space": " "}


class ChromiumError(Exception):
    """It answered with an error, or not at all."""


class Chromium:
    """One browser with a profile of its own; ends with `close`."""

    def __init__(self, profile: Path) -> None:
        program = shutil.which("chromium")
        assert program is not None
        to_browser, self._commands = os.pipe()
        self._answers, from_browser = os.pipe()
        # Above those that it is to have, so that none is overwritten before it is moved.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (to_browser, from_browser)]
        self._pid = os.posix_spawn(
            program,
            [program, *_FLAGS, f"--user-data-dir={profile}"],
            {**os.environ, "HOME": str(profile)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_DUP2, high[0], 3),
                (os.POSIX_SPAWN_DUP2, high[1], 4),
            ],
            setpgroup=0,
        )
        for fd in (to_browser, from_browser, *high):
            os.close(fd)
        self._ids = itertools.count(1)
        self._unread = b""
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it and all that it started."""
        os.close(self._commands)
        os.close(self._answers)
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def open(self, page: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> Tab:
        """A new tab with the file `page`, when it is loaded."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        tab.show(page, width=width, height=height, dark=dark)
        return tab

    def call(
        self, method: str, *, session: str | None = None, **parameters: object
    ) -> dict[str, Any]:
        """The result of a command."""
        number = next(self._ids)
        command: dict[str, object] = {"id": number, "method": method, "params": parameters}
        if session is not None:
            command["sessionId"] = session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        deadline_s = time.monotonic() + _ANSWER_S
        while True:
            message = self._message(deadline_s, method)
            if message.get("id") != number:
                self.events.append(message)
                continue
            if "error" in message:
                raise ChromiumError(f"{method}: {message['error']}")
            result: dict[str, Any] = message["result"]
            return result

    def _message(self, deadline_s: float, waiting_for: str) -> dict[str, Any]:
        while b"\0" not in self._unread:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([self._answers], [], [], left_s)[0]:
                raise ChromiumError(f"{waiting_for}: no answer within {_ANSWER_S} s")
            data = os.read(self._answers, 1 << 20)
            if not data:
                raise ChromiumError(f"{waiting_for}: it has ended")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\0")
        message: dict[str, Any] = json.loads(line)
        return message


class Tab:
    """One page that is open."""

    def __init__(self, browser: Chromium, target: str, session: str) -> None:
        self._browser, self._target, self._session = browser, target, session

    def show(self, page: Path, *, width: int, height: int, dark: bool) -> None:
        """Load `page`, and wait for it."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=page.as_uri())
        deadline_s = time.monotonic() + _ANSWER_S
        while self.evaluate("document.readyState") != "complete":
            assert time.monotonic() < deadline_s, "the page does not load"

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        return self._browser.call(method, session=self._session, **parameters)

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - what the page answers
        """The value of an expression of JavaScript; of a promise, when it is kept."""
        result = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in result:
            raise ChromiumError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def settle(self) -> None:
        """Wait until what was asked for is drawn."""
        frame = "new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
        for _ in range(2):
            self.evaluate(frame)

    def press(self, key: str) -> None:
        """Press a key of the keyboard: a name, or one character."""
        if key in _KEYS:
            code = {"key": " " if key == "Space" else key, "code": key}
            code |= {"text": _TEXTS[key]} if key in _TEXTS else {}
            number = _KEYS[key]
        else:
            code, number = {"key": key, "text": key}, ord(key.upper())
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, windowsVirtualKeyCode=number, **code)

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        for one in text:
            self.press(one)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """What it looks like; `whole` is all of the page."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def requests(self) -> list[str]:
        """The addresses that it asked for."""
        sent = self._told("Network.requestWillBeSent")
        return [one["request"]["url"] for one in sent]

    def complaints(self) -> list[str]:
        """What stands in its console: exceptions, errors, warnings, violations of its policy."""
        found = [str(one["exceptionDetails"]) for one in self._told("Runtime.exceptionThrown")]
        found += [str(one["entry"]) for one in self._told("Log.entryAdded")]
        found += [str(one) for one in self._told("Runtime.consoleAPICalled")]
        return found

    def dialogs(self) -> list[str]:
        """What `alert` and its like said."""
        return [str(one) for one in self._told("Page.javascriptDialogOpening")]

    def _told(self, event: str) -> list[dict[str, Any]]:
        self.evaluate("0")  # what comes before the answer has come
        return [
            one["params"]
            for one in self._browser.events
            if one.get("method") == event and one.get("sessionId") == self._session
        ]
