"""What goes out: CloudEvents 1.0 in structured JSON, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

SIZE_LIMIT_BYTES = 2**20
SCHEMA_VERSION = 1

# Topics whose events are never dropped, whatever the space: they tell what happened, the others how things are.
ESSENTIAL = frozenset({"result", "zone", "service", "snapshot", "backup", "deadletter"})


@dataclass(frozen=True, slots=True)
class Note:
    """Something to remember with an event, written in the same transaction; ``value`` None forgets it."""

    space: str
    key: str
    value: str | None


class Written(Mapping[str, Any]):
    """A Howl message that is JSON already, for who tells hundreds a second; whoever looks into it has it read first."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """``text`` is an object on one line in ASCII."""
        self.text = text

    def __getitem__(self, key: str) -> Any:
        return json.loads(self.text)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(json.loads(self.text))

    def __len__(self) -> int:
        return len(json.loads(self.text))


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell.

    Attributes:
        topic: The topic without its prefix ("zone"), or a whole name when ``absolute`` (a ``reply_to``).
        type: The CloudEvents type.
        subject: The Howl channel: a VM's uuid or the host's id.
        data: The Howl message.
        notes: What to remember in the transaction that writes this event.
        traceparent: The trace it belongs to.
        absolute: Whether ``topic`` is used as it is.
    """

    topic: str
    type: str
    subject: str
    data: Mapping[str, Any]
    notes: tuple[Note, ...] = ()
    traceparent: str | None = None
    absolute: bool = False

    @property
    def essential(self) -> bool:
        """Whether it may never be dropped."""
        return self.absolute or self.topic in ESSENTIAL


_encoder = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def compact(document: Any) -> str:
    """JSON on one line in ASCII, so that no terminal or reader trips over it.

    Raises:
        ValueError: for NaN and the infinities, which JSON does not have.
    """
    return _encoder.encode(document)


def timestamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    whole, milliseconds = divmod(round(seconds * 1e6) // 1000, 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=8)
def _second(whole: int) -> str:
    """Nearly all events of a second are told within it: it is written once for them."""
    return datetime.fromtimestamp(whole, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def encode(event: Event, *, host: str, epoch: str, topic: str, sequence: int, time: str) -> bytes:
    """The bytes of an event; its id is made of epoch, topic and sequence, so sending again keeps it."""
    trace = f'"traceparent":{compact(event.traceparent)},' if event.traceparent else ""
    head = (
        f'{{"specversion":"1.0","id":"{epoch}.{topic}.{sequence}","source":"chunter/{host}",'
        f'"type":"{event.type}","subject":{compact(event.subject)},"time":"{time}",'
        f'"datacontenttype":"application/json","sequence":"{sequence}","epoch":"{epoch}",{trace}"data":'
    )
    data = event.data.text if isinstance(event.data, Written) else compact(event.data)
    return f"{head}{data}}}".encode("ascii")
