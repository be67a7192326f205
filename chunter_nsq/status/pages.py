"""The pages of the status listener."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tornado.web import Application, RequestHandler

State = Callable[[], dict[str, Any]]


class _Page(RequestHandler):
    """What all pages share: the state, and no server banner."""

    def initialize(self, state: State) -> None:
        self.state = state

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        self.set_header("Cache-Control", "no-store")


class _Alive(_Page):
    """200 while the loop turns."""

    def get(self) -> None:
        self.finish("ok\n")


class _Ready(_Page):
    """200 when commands are read and events are sent; else 503 with what is missing."""

    def get(self) -> None:
        missing = self.state()["missing"]
        self.set_status(503 if missing else 200)
        self.finish("".join(f"{one}\n" for one in missing) or "ready\n")


class _Status(_Page):
    """The whole state."""

    def get(self) -> None:
        self.finish(self.state())


class _Metrics(RequestHandler):
    """The figures for Prometheus."""

    def initialize(self, metrics: Callable[[], bytes]) -> None:
        self.metrics = metrics

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(self.metrics())


def application(state: State, metrics: Callable[[], bytes]) -> Application:
    """All pages."""
    given = {"state": state}
    return Application(
        [
            ("/healthz", _Alive, given),
            ("/readyz", _Ready, given),
            ("/api/status", _Status, given),
            ("/metrics", _Metrics, {"metrics": metrics}),
        ],
        log_function=lambda _: None,
    )
