"""The status listener: health for SMF and load balancers, the state of the agent, figures for Prometheus, a live page.

Tornado's server without its web framework: a few pages do not need it, and an idle agent does without its memory.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable
from http import HTTPStatus

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.netutil import bind_sockets

from chunter_nsq.outbox import Outbox
from chunter_nsq.status.pages import Answer, Pages, Sources
from chunter_nsq.status.watchers import MOST, Watchers

log = logging.getLogger(__name__)

EVENTS = "/events"
_BROKEN = Answer(500, "text/plain; charset=utf-8", b"the page could not be made; the agent's log says why\n")
_CROWDED = Answer(503, "text/plain; charset=utf-8", b"too many watch already\n")


class Unlistenable(Exception):
    """The address of ``status_listen`` cannot be had; the text says why, and what to do."""


class StatusServer:
    """Serves pages until it is closed."""

    def __init__(self, sources: Sources, outbox: Outbox, prefix: str) -> None:
        self._pages = Pages(sources)
        self._watchers = Watchers(sources.state, outbox, prefix)
        self._server = HTTPServer(self._take)
        self._making: set[asyncio.Task[None]] = set()

    def listen(self, address: str, port: int) -> None:
        """Begin. Raises Unlistenable."""
        try:
            sockets = bind_sockets(port, address)
        except OSError as fault:
            why = os.strerror(fault.errno) if fault.errno else str(fault)
            raise Unlistenable(
                f"status_listen = {address}:{port} cannot be had: {why}; end the program that listens there, "
                "or name another address in chunter.conf, or off"
            ) from fault
        self._server.add_sockets(sockets)

    def close(self) -> None:
        """Listen no more, and let those go who watch."""
        self._server.stop()
        self._watchers.close()
        for task in self._making:
            task.cancel()

    def _take(self, request: HTTPServerRequest) -> None:
        if request.path == EVENTS and request.method == "GET":
            self._watch(request)
            return
        try:
            answer = self._pages.answer(request.method or "", request.path or "")
        except Exception:
            log.exception("status.page_failed", extra={"path": request.path})
            answer = _BROKEN
        if isinstance(answer, Answer):
            _send(request, answer)
        else:
            task = asyncio.ensure_future(self._later(request, answer))
            self._making.add(task)
            task.add_done_callback(self._making.discard)

    async def _later(self, request: HTTPServerRequest, answer: Awaitable[Answer]) -> None:
        try:
            made = await answer
        except Exception:
            log.exception("status.page_failed", extra={"path": request.path})
            made = _BROKEN
        _send(request, made)

    def _watch(self, request: HTTPServerRequest) -> None:
        if len(self._watchers) >= MOST:
            _send(request, _CROWDED)
        else:
            self._watchers.admit(request, _headers())


def _send(request: HTTPServerRequest, answer: Answer) -> None:
    if request.connection is None:
        return
    headers = _headers()
    headers.update(answer.headers)
    headers["Content-Type"] = answer.content_type
    headers["Content-Length"] = str(len(answer.body))
    line = ResponseStartLine("HTTP/1.1", answer.status, HTTPStatus(answer.status).phrase)
    body = b"" if request.method == "HEAD" else answer.body
    request.connection.write_headers(line, headers, body)
    request.connection.finish()


def _headers() -> HTTPHeaders:
    return HTTPHeaders(
        {
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
    )
