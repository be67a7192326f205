"""What was last told of the services of each zone, and what has to be told now.

What is kept of a zone is the raw text of its lines, in memory and in its note; a zone whose text did not change costs
one comparison. A zone that is listed no more is stopped, or has nothing that could answer for its services: they are
forgotten with one event that has ``listed`` false and names none of them, since none was removed. When the zone is
back it is told whole, as one that was never seen: ``snapshot`` counts the parts, old is ``none`` throughout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from chunter_nsq.messages.events import Event, Note
from chunter_nsq.smartos.svcs import Listing
from publishers.servicediff import OddLine, changes, parts, payload

SPACE = "services"
TYPE = "chunter.service.changed"


class ServiceView:
    """Blocks of lines by zone; ``subject`` gives the subject of a zone's events."""

    def __init__(self, notes: Mapping[str, str], subject: Callable[[str], str]) -> None:
        self._subject = subject
        self._seen: float = 0.0
        self._recalled: dict[bytes, float] = {}
        self.blocks: dict[bytes, bytes] = {}
        for zone, note in notes.items():
            seen, _, block = note.partition("\n")
            self.blocks[zone.encode("latin-1")] = block.encode("latin-1")
            self._recalled[zone.encode("latin-1")] = float(seen)

    def listed(self, listing: Listing) -> Iterator[list[Event]]:
        """The events of each zone whose lines changed, perhaps none; zone by zone, so that others get their turn.

        Raises:
            UnreadableOutput: at the end, when a line could not be read; its zone is left as it was.
        """
        odd: OddLine | None = None
        for zone, block in listing.blocks.items():
            if block is not self.blocks.get(zone):
                try:
                    events = self._changed(zone, block, listing.ended)
                except OddLine as fault:
                    odd = odd or fault
                    continue
                self.blocks[zone] = block
                yield events
        self._recalled.clear()
        self._seen = listing.ended
        if odd is not None:
            raise listing.odd(odd.line)
        for zone in self.blocks.keys() - listing.blocks.keys():
            del self.blocks[zone]
            yield [self._gone(zone)]

    def _changed(self, zone: bytes, block: bytes, now: float) -> list[Event]:
        name = zone.decode("latin-1")
        known = self.blocks.get(zone)
        changed = changes(known or b"", self._recalled.get(zone, self._seen), block, now)
        if not changed:
            return []
        pieces = parts(changed)
        messages = [payload(piece) for piece in pieces]
        if known is None:
            for number, message in enumerate(messages, 1):
                message["snapshot"] = {"part": number, "of": len(pieces)}
        note = Note(SPACE, name, f"{now}\n{block.decode('latin-1')}")
        notes: list[tuple[Note, ...]] = [()] * (len(pieces) - 1) + [(note,)]
        subject = self._subject(name)
        return [
            Event("service", TYPE, subject, message, notes=remembered)
            for message, remembered in zip(messages, notes, strict=True)
        ]

    def _gone(self, zone: bytes) -> Event:
        name = zone.decode("latin-1")
        message = payload({}) | {"listed": False}
        return Event("service", TYPE, self._subject(name), message, notes=(Note(SPACE, name, None),))
