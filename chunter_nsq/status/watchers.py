"""Server-sent events: those who have ``/events`` open, and what they are sent.

A watcher gets ``status`` at once and every two seconds, and ``event`` for each thing that happens. One that does not
read what it is sent is let go: its browser comes again by itself. Nothing runs and nothing is listened to while nobody
watches.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.iostream import StreamClosedError

from chunter_nsq.outbox import Outbox
from chunter_nsq.status.feed import Feed

log = logging.getLogger(__name__)

MOST = 16
TICK_SECONDS = 2.0
_UNREAD_BYTES = 2**18


class Watcher:
    """One open connection."""

    def __init__(self, connection: HTTP1Connection, gone: Callable[[Watcher], None]) -> None:
        self._connection = connection
        self._gone = gone
        self._unread_bytes = 0
        connection.set_close_callback(lambda: gone(self))

    def send(self, chunk: bytes) -> None:
        """Send it, or let the watcher go when it does not read."""
        if self._unread_bytes > _UNREAD_BYTES:
            log.info("status.watcher_slow", extra={"unread_bytes": self._unread_bytes})
            self.close()
            return
        self._unread_bytes += len(chunk)
        self._settle(self._connection.write(chunk), len(chunk))

    def close(self) -> None:
        """End it."""
        stream = self._connection.stream
        if stream is not None:
            stream.close()
        self._gone(self)

    def _settle(self, written: asyncio.Future[None], size: int) -> None:
        def done(future: asyncio.Future[None]) -> None:
            self._unread_bytes -= size
            if not future.cancelled() and isinstance(future.exception(), StreamClosedError | OSError):
                self._gone(self)

        written.add_done_callback(done)


class Watchers:
    """All of them."""

    def __init__(self, state: Callable[[], dict[str, Any]], outbox: Outbox, prefix: str) -> None:
        self._state = state
        self._outbox = outbox
        self._feed = Feed(prefix, lambda event: self._send("event", event))
        self._watchers: set[Watcher] = set()
        self._ticking: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._watchers)

    def admit(self, request: HTTPServerRequest, headers: HTTPHeaders) -> None:
        """Answer a request with a stream that does not end."""
        connection = request.connection
        if not isinstance(connection, HTTP1Connection):
            return
        headers["Content-Type"] = "text/event-stream"
        connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)
        watcher = Watcher(connection, self._drop)
        self._watchers.add(watcher)
        if self._ticking is None:
            self._outbox.listener = self._feed.take
            self._feed.counted()
            self._ticking = asyncio.create_task(self._tick(), name="status watchers")
        watcher.send(_event("status", {**self._state(), "events": {}}))

    def close(self) -> None:
        """Let everybody go."""
        for watcher in list(self._watchers):
            watcher.close()

    def _drop(self, watcher: Watcher) -> None:
        self._watchers.discard(watcher)
        if not self._watchers and self._ticking is not None:
            self._outbox.listener = None
            self._ticking.cancel()
            self._ticking = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            self._send("status", {**self._state(), "events": self._feed.counted()})

    def _send(self, name: str, document: dict[str, Any]) -> None:
        chunk = _event(name, document)
        for watcher in list(self._watchers):
            watcher.send(chunk)


def _event(name: str, document: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(document)}\n\n".encode()
