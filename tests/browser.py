"""A real browser without a window, driven through its own protocol."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tornado.httpclient import AsyncHTTPClient
from tornado.websocket import WebSocketClientConnection, websocket_connect

from chunter_nsq.smartos.group import POLL_SECONDS, is_populated, signal_group

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_START_SECONDS = 30.0
_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage",
    "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0",
)  # fmt: skip


def program() -> str | None:
    """Where a browser is, None when there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


class Tab:
    """One page; what it complains of is kept in ``complaints``."""

    def __init__(self, socket: WebSocketClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.complaints: list[str] = []

    async def call(self, method: str, **params: Any) -> Any:
        """One command of the protocol and its answer; what comes in between is looked at."""
        number = next(self._numbers)
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": params}))
        while True:
            message = await self._socket.read_message()
            assert message is not None, "the browser is gone"
            told = json.loads(message)
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]
            self._hear(told)

    async def value(self, expression: str) -> Any:
        """What an expression is in the page."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str, limit_seconds: float = 15.0) -> None:
        """Wait until an expression is true in the page."""
        deadline = asyncio.get_running_loop().time() + limit_seconds
        while not await self.value(expression):
            assert asyncio.get_running_loop().time() < deadline, (
                expression,
                await self.value("document.body.innerText"),
            )
            await asyncio.sleep(0.05)

    def _hear(self, told: dict[str, Any]) -> None:
        params = told.get("params", {})
        if told.get("method") == "Log.entryAdded" and params["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        if told.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(json.dumps(params["exceptionDetails"]))


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Tab]:
    """A page in a browser of its own, with everything that it says from its beginning.

    Its files are in a folder of its own, with a short name: there are Unix sockets among them.
    """
    path = program()
    assert path is not None
    with tempfile.TemporaryDirectory(prefix="browser-") as folder:
        browser = await asyncio.create_subprocess_exec(
            path, *_FLAGS, f"--user-data-dir={folder}/profile", "about:blank",
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            start_new_session=True, env={**os.environ, "HOME": folder, "TMPDIR": folder},
        )  # fmt: skip
        try:
            async with _tab(browser) as tab:
                await tab.call("Page.navigate", url=url)
                await tab.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")
                yield tab
        finally:
            await _end(browser)


@asynccontextmanager
async def _tab(browser: asyncio.subprocess.Process) -> AsyncIterator[Tab]:
    async with asyncio.timeout(_START_SECONDS):
        door = await _door(browser)
        tabs = json.loads((await AsyncHTTPClient().fetch(f"http://{door}/json")).body)
    socket = await websocket_connect(next(one["webSocketDebuggerUrl"] for one in tabs if one["type"] == "page"))
    tab = Tab(socket)
    for domain in ("Log", "Runtime", "Page"):
        await tab.call(f"{domain}.enable")
    yield tab
    socket.close()


async def _end(browser: asyncio.subprocess.Process) -> None:
    """Kill it with all its processes, and wait until none is there to write into its folder."""
    signal_group(browser.pid, signal.SIGKILL)
    await browser.wait()
    async with asyncio.timeout(_START_SECONDS):
        while is_populated(browser.pid):
            await asyncio.sleep(POLL_SECONDS)


async def _door(browser: asyncio.subprocess.Process) -> str:
    assert browser.stderr is not None
    while line := await browser.stderr.readline():
        if found := re.search(rb"DevTools listening on ws://([^/]+)/", line):
            return found[1].decode()
    raise AssertionError("the browser did not start")
