"""The status listener: health for SMF and load balancers, the state of the agent, figures for Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.netutil import bind_sockets

if TYPE_CHECKING:
    from tornado.web import Application

State = Callable[[], dict[str, Any]]


class Pages(HTTPServerConnectionDelegate):
    """Makes the application at the first request: an agent that nobody asks does without its two megabytes."""

    def __init__(self, state: State, metrics: Callable[[], bytes]) -> None:
        self._state = state
        self._metrics = metrics
        self._application: Application | None = None

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Hand a request over."""
        if self._application is None:
            from chunter_nsq.status.pages import application  # noqa: PLC0415 - see above

            self._application = application(self._state, self._metrics)
        return self._application.start_request(server_conn, request_conn)


def listen(address: str, port: int, state: State, metrics: Callable[[], bytes]) -> HTTPServer:
    """Serve the pages until the server is stopped.

    Raises:
        OSError: when the address cannot be had.
    """
    server = HTTPServer(Pages(state, metrics))
    server.add_sockets(bind_sockets(port, address))
    return server
