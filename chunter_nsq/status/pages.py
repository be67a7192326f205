"""The pages of the status listener: a path in, an answer out."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chunter_nsq.inventory import Machine

_TEXT = "text/plain; charset=utf-8"
_NOTHING: Mapping[str, str] = {}
RECENT = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, a content type and a body."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True, slots=True)
class Sources:
    """What there is to tell: the agent's state, figures for Prometheus, machines, the newest commands in short."""

    state: Callable[[], dict[str, Any]]
    metrics: Callable[[], bytes]
    machines: Callable[[], Iterable[Machine]]
    commands: Callable[[int], Awaitable[list[dict[str, Any]]]]


class Pages:
    """All pages but ``/events``, which does not end."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        self._pages: dict[str, Callable[[], Answer | Awaitable[Answer]]] = {
            "/": self._page,
            "/healthz": self._alive,
            "/readyz": self._ready,
            "/metrics": self._figures,
            "/api/status": self._status,
            "/api/machines": self._machines,
            "/api/commands": self._commands,
        }

    def answer(self, method: str, path: str) -> Answer | Awaitable[Answer]:
        """What a request gets."""
        page = self._pages.get(path)
        if page is None:
            known = " ".join((*self._pages, "/events"))
            return Answer(404, _TEXT, f"there is no such page; there are {known}\n".encode())
        if method not in ("GET", "HEAD"):
            return Answer(405, _TEXT, b"pages are only read here; commands go through NSQ\n")
        return page()

    def _page(self) -> Answer:
        """For people."""
        from chunter_nsq.status.page import page  # noqa: PLC0415 - memory that only those pay who look

        return page()

    def _alive(self) -> Answer:
        """200 while the loop turns."""
        return Answer(200, _TEXT, b"ok\n")

    def _ready(self) -> Answer:
        """200 when commands are read and events are sent; else 503 with what is missing."""
        missing = self._sources.state()["missing"]
        if missing:
            return Answer(503, _TEXT, "".join(f"{one}\n" for one in missing).encode())
        return Answer(200, _TEXT, b"ready\n")

    def _status(self) -> Answer:
        """The whole state."""
        return _json(self._sources.state())

    def _machines(self) -> Answer:
        """The machines of this host, as they are known."""
        return _json([asdict(one) for one in self._sources.machines()])

    async def _commands(self) -> Answer:
        """The newest commands, without their contents and results."""
        return _json(await self._sources.commands(RECENT))

    def _figures(self) -> Answer:
        """For Prometheus."""
        return Answer(200, "text/plain; version=0.0.4; charset=utf-8", self._sources.metrics())


def _json(document: Any) -> Answer:
    return Answer(200, "application/json; charset=utf-8", json.dumps(document).encode())
