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
        self._told: dict[str, Mapping[str, Any]] = {}

    def hear(self, event: Event) -> None:
        """The metrics told something."""
        if event.type == "chunter.metric.memstat":
            self._told[event.subject.removesuffix(_SUFFIX)] = event.data

    def take(self, uuid: str) -> CapHits | None:
        """What is known of a zone; it is forgotten with that."""
        told = self._told.pop(uuid, None)
        if told is None:
            return None
        data = told["data"]
        return CapHits(data.get("nover") or 0, data.get("rss"), data.get("physcap"))
