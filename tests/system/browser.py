"""Drives a headless Chromium over its DevTools protocol: as much of it as the tests need, without a driver program."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_S = 120
"""A page that resolves every operation of both APIs blocks its browser for long on a machine that does other work."""

_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1600",
    "--remote-debugging-port=0",
)


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((found for found in map(shutil.which, PROGRAMS) if found), None)


class Page:
    """One tab."""

    def __init__(self, loop: asyncio.AbstractEventLoop, socket: ClientWebSocketResponse) -> None:
        self._loop = loop
        self._socket = socket
        self._sent = 0

    def evaluate(self, script: str) -> Any:
        """Return what an expression comes to in the page; a promise is awaited, an exception fails the test."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str, *, timeout_s: float = _PATIENCE_S) -> Any:
        """Return what an expression comes to, once that is something."""
        deadline = time.monotonic() + timeout_s
        while not (found := self.evaluate(script)):
            assert time.monotonic() < deadline, f"{script}: not within {timeout_s:.0f} s"
            time.sleep(0.05)
        return found

    def load(self, url: str) -> None:
        """Go to a URL; return when its scripts have run."""
        self.call("Page.enable")
        self._run(self._load(url))

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a DevTools method and return its result."""
        return self._run(self._call(method, parameters))

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(asyncio.wait_for(work, timeout=_PATIENCE_S))

    async def _load(self, url: str) -> None:
        await self._send("Page.navigate", {"url": url})
        # Until then, a script might still run in the page before.
        while (await self._socket.receive_json()).get("method") != "Page.loadEventFired":
            pass

    async def _call(self, method: str, parameters: dict[str, Any]) -> Any:
        number = await self._send(method, parameters)
        while True:
            message = await self._socket.receive_json()
            # Events come in between.
            if message.get("id") == number:
                assert "error" not in message, message["error"]
                return message["result"]

    async def _send(self, method: str, parameters: dict[str, Any]) -> int:
        self._sent += 1
        await self._socket.send_json({"id": self._sent, "method": method, "params": parameters})
        return self._sent


@contextmanager
def open_page(program: str, url: str) -> Iterator[Page]:
    """Open the URL in a browser of its own, with an empty profile, and end it afterwards."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        subprocess.Popen(
            [program, *_FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as browser,
    ):
        loop = asyncio.new_event_loop()
        try:
            tab = loop.run_until_complete(_find_tab(browser, Path(profile) / "DevToolsActivePort"))
            session, socket = loop.run_until_complete(_connect(tab))
            try:
                page = Page(loop, socket)
                page.load(url)
                yield page
            finally:
                loop.run_until_complete(session.close())
        finally:
            browser.terminate()
            loop.close()


async def _connect(tab: str) -> tuple[ClientSession, ClientWebSocketResponse]:
    session = ClientSession()
    return session, await session.ws_connect(tab, max_msg_size=0)


async def _find_tab(browser: subprocess.Popen[bytes], port_file: Path) -> str:
    """Return the address of the browser's first tab, once there is one."""
    deadline = time.monotonic() + 30
    while not (port_file.exists() and port_file.read_text(encoding="ascii").strip()):  # noqa: ASYNC240 - nobody waits
        assert browser.poll() is None, "the browser has ended"
        assert time.monotonic() < deadline, "the browser does not start"
        await asyncio.sleep(0.05)
    port = port_file.read_text(encoding="ascii").splitlines()[0]  # noqa: ASYNC240 - as above
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        targets = json.loads(await answer.text())
    return next(str(target["webSocketDebuggerUrl"]) for target in targets if target["type"] == "page")
