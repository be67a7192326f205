"""What was dropped unsent, as ranges of sequences; a range that touches one of the same topic becomes part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

TYPE = "chunter.host.dropped"


@dataclass(slots=True)
class Range:
    """Sequences ``first`` to ``last`` of a topic."""

    topic: str
    first: int
    last: int


class Drops:
    """Ranges of one group."""

    def __init__(self) -> None:
        self._ranges: list[Range] = []

    def add(self, topic: str, first: int, last: int) -> None:
        """Events of a topic that nobody will get."""
        for one in self._ranges:
            if one.topic == topic and one.first <= last + 1 and first <= one.last + 1:
                one.first, one.last = min(one.first, first), max(one.last, last)
                return
        self._ranges.append(Range(topic, first, last))

    def add_told(self, data: dict[str, Any]) -> None:
        """What a dropped event told that is now dropped itself."""
        told = data["data"]
        self.add(told["topic"], told["from"], told["to"])

    def data(self) -> list[dict[str, Any]]:
        """The Howl message of each range."""
        return [
            {
                "event": "dropped",
                "data": {
                    "topic": one.topic,
                    "from": one.first,
                    "to": one.last,
                    "count": one.last - one.first + 1,
                    "reason": "outbox_limit",
                },
            }
            for one in sorted(self._ranges, key=lambda one: (one.topic, one.first))
        ]
