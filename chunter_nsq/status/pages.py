"""The pages of the status listener: a path in, an answer out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

State = Callable[[], dict[str, Any]]
_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a content type and a body."""

    status: int
    content_type: str
    body: bytes


class Pages:
    """All pages; ``metrics`` makes the figures for Prometheus."""

    def __init__(self, state: State, metrics: Callable[[], bytes]) -> None:
        self._state = state
        self._metrics = metrics
        self._pages: dict[str, Callable[[], Answer]] = {
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/api/status": self._status,
            "/metrics": self._figures,
        }

    def answer(self, method: str, path: str) -> Answer:
        """What a request gets."""
        page = self._pages.get(path)
        if page is None:
            known = " ".join(self._pages)
            return Answer(404, _TEXT, f"there is no such page; there are {known}\n".encode())
        if method not in ("GET", "HEAD"):
            return Answer(405, _TEXT, b"pages are only read here; commands go through NSQ\n")
        return page()

    def _alive(self) -> Answer:
        """200 while the loop turns."""
        return Answer(200, _TEXT, b"ok\n")

    def _ready(self) -> Answer:
        """200 when commands are read and events are sent; else 503 with what is missing."""
        missing = self._state()["missing"]
        if missing:
            return Answer(503, _TEXT, "".join(f"{one}\n" for one in missing).encode())
        return Answer(200, _TEXT, b"ready\n")

    def _status(self) -> Answer:
        """The whole state."""
        return Answer(200, "application/json; charset=utf-8", json.dumps(self._state()).encode())

    def _figures(self) -> Answer:
        """For Prometheus."""
        return Answer(200, "text/plain; version=0.0.4; charset=utf-8", self._metrics())
