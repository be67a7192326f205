"""The status listener: health for SMF and load balancers, the state of the agent, figures for Prometheus.

Tornado's server without its web framework: four pages do not need it, and an idle agent does without its memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.netutil import bind_sockets

from chunter_nsq.status.pages import Answer, Pages

log = logging.getLogger(__name__)


def listen(address: str, port: int, state: Callable[[], dict[str, Any]], metrics: Callable[[], bytes]) -> HTTPServer:
    """Serve the pages until the server is stopped.

    Raises:
        OSError: when the address cannot be had.
    """
    pages = Pages(state, metrics)

    def take(request: HTTPServerRequest) -> None:
        try:
            answer = pages.answer(request.method or "", request.path or "")
        except Exception:
            log.exception("status.page_failed", extra={"path": request.path})
            answer = Answer(500, "text/plain; charset=utf-8", b"the page could not be made; the agent's log says why\n")
        _send(request, answer)

    server = HTTPServer(take)
    server.add_sockets(bind_sockets(port, address))
    return server


def _send(request: HTTPServerRequest, answer: Answer) -> None:
    if request.connection is None:
        return
    headers = HTTPHeaders(
        {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body)), "Cache-Control": "no-store"}
    )
    line = ResponseStartLine("HTTP/1.1", answer.status, HTTPStatus(answer.status).phrase)
    body = b"" if request.method == "HEAD" else answer.body
    request.connection.write_headers(line, headers, body)
    request.connection.finish()
