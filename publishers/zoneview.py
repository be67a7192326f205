"""What was last said of each zone, and what has to be said now: a pure merge of hints and lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from chunter_nsq import zonestate
from chunter_nsq.messages.events import Event, Note

BEGUN = Note("zones", "begun", "yes")
_GONE = ""


@dataclass(slots=True)
class Counts:
    """Zone events so far: those that the stream told, and those that only the list found."""

    by_stream: int = 0
    by_list: int = 0

    def as_dict(self) -> dict[str, int]:
        """By what found them."""
        return {"stream": self.by_stream, "list": self.by_list}


class ZoneView:
    """Hints (the event stream) are quick and may be lost; a list is complete and decides.

    ``stored`` are machines that are about to go because the store has them; whoever deletes them keeps that set.

    A list that was asked for before a hint came says nothing of that hint's zone: it may be older than the hint.
    What was there before us is for the very first list to say: a hint before it cannot tell a new zone from an old one.
    """

    def __init__(
        self, notes: Mapping[str, str], *, is_first: bool, counts: Counts | None = None, stored: set[str] | None = None
    ) -> None:
        self.counts = counts or Counts()
        self._stored = stored if stored is not None else set()
        self._said: dict[str, str] = {}
        self._listed: set[str] = set()
        self._is_first = is_first
        self._hints = 0
        self._hinted: dict[str, int] = {}
        self._doubts: dict[str, str] = {}
        self._said.update(notes)
        self._listed.update(notes)

    def tell(self, uuid: str, state: str) -> None:
        """A handler said a state of a machine; what the platform lists is not its to say."""
        if uuid not in self._listed:
            self._said[uuid] = state

    @property
    def hints(self) -> int:
        """How many hints came so far; taken before a list is asked for."""
        return self._hints

    @property
    def is_settled(self) -> bool:
        """Whether the same list, without a hint before it, would be taken as it was the last time."""
        return not self._doubts and not self._hinted

    def hint(self, uuid: str, raw: str) -> list[Event]:
        """The stream says that a zone is in a state."""
        if self._is_first:
            return []
        self._hint(uuid)
        if raw not in zonestate.PUBLIC:
            return []  # configured, incomplete: not a zone yet or no more; the list says which
        return self._told(self._seen(uuid, raw))

    def hint_gone(self, uuid: str) -> list[Event]:
        """The stream says that a zone is deleted."""
        if self._is_first:
            return []
        self._hint(uuid)
        return self._told(self._gone(uuid) if uuid in self._listed else [])

    def listed(
        self, zones: Iterable[tuple[str, str]], hints_before: int, *, is_followed: bool = False
    ) -> list[Event | Note]:
        """All zones with their raw states, asked for when there had been ``hints_before`` hints.

        While the stream ``is_followed``, the list may be ahead of it: what only the list shows is told when the next
        list shows the same and no hint came for that zone, so that the stream's order is not overtaken.
        """
        events: list[Event | Note] = []
        doubts: dict[str, str] = {}
        present = dict(zones)
        for uuid in (*present, *sorted(self._listed - present.keys())):
            raw = present.get(uuid, _GONE)
            if self._hinted.get(uuid, 0) > hints_before or not self._is_news(uuid, raw):
                continue
            if is_followed and self._doubts.get(uuid) != raw:
                doubts[uuid] = raw
            else:
                events.extend(self._gone(uuid) if raw == _GONE else self._seen(uuid, raw))
        self._doubts = doubts
        self._hinted = {uuid: at for uuid, at in self._hinted.items() if at > hints_before}
        self.counts.by_list += 0 if self._is_first else len(events)
        if self._is_first:
            self._is_first = False
            events.append(BEGUN)
        return events

    def _hint(self, uuid: str) -> None:
        self._hints += 1
        self._hinted[uuid] = self._hints
        self._doubts.pop(uuid, None)

    def _told(self, events: list[Event]) -> list[Event]:
        self.counts.by_stream += len(events)
        return events

    def _is_news(self, uuid: str, raw: str) -> bool:
        if raw == _GONE or uuid not in self._listed:
            return True
        return self._said.get(uuid) != zonestate.public(raw)

    def _gone(self, uuid: str) -> list[Event]:
        self._listed.discard(uuid)
        previous = self._said.pop(uuid, None)
        if uuid in self._stored:
            self._stored.discard(uuid)
            return zonestate.stored_events(uuid, previous)
        return [zonestate.deleted_event(uuid)]

    def _seen(self, uuid: str, raw: str) -> list[Event]:
        state, previous = zonestate.public(raw), self._said.get(uuid)
        events = []
        if uuid not in self._listed:
            self._listed.add(uuid)
            self._stored.discard(uuid)
            if not self._is_first:
                events.append(zonestate.created_event(uuid))
        elif previous == state:
            return []
        self._said[uuid] = state
        events.append(zonestate.state_event(uuid, state, previous, raw))
        return events
