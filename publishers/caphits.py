"""How often each zone hit its memory cap, as the metrics last told it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from chunter_nsq.messages.events import Event

_SUFFIX = "-metrics"


class CapHits(NamedTuple):
    """Of one boot of a zone; bytes."""

    times: int
    resident_bytes: int | None
    cap_bytes: int | None


class CapRecord:
    """By zone; empty as long as metrics are switched off."""

    def __init__(self) -> None:
        self._hits: dict[str, CapHits] = {}

    def hear(self, event: Event) -> None:
        """The metrics told something."""
        if event.type == "chunter.metric.memstat":
            data: Mapping[str, Any] = event.data["data"]
            hits = CapHits(data.get("nover") or 0, data.get("rss"), data.get("physcap"))
            self._hits[event.subject.removesuffix(_SUFFIX)] = hits

    def take(self, uuid: str) -> CapHits | None:
        """What is known of a zone; it is forgotten with that."""
        return self._hits.pop(uuid, None)
