"""What was changed, what should have been told of it, and what was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.report import spread
from chunter_nsq import zonestate
from chunter_nsq.bus.consumer import Delivery

Change = tuple[float, str, str]  # moment (epoch seconds), zone, raw state
States = dict[str, list[tuple[float, str]]]  # by zone


@dataclass
class Storm:
    """One load; ``told`` are the public states with the moments at which nsqd took them."""

    changes: list[Change]
    told: States = field(default_factory=lambda: defaultdict(list))

    def hear(self, deliveries: Iterable[Delivery], event_of: Any) -> None:
        """Take in what nsqd had."""
        for delivery in deliveries:
            event = event_of(delivery)
            if event["type"] == "chunter.zone.state":
                self.told[event["subject"]].append((delivery.timestamp_ns / 1e9, event["data"]["data"]))

    def expected(self) -> States:
        """Each public state that differs from the one before; all zones ran at first."""
        wanted: States = defaultdict(list)
        said: dict[str, str] = defaultdict(lambda: "running")
        for moment, zone, raw in self.changes:
            state = zonestate.public(raw)
            if state != said[zone]:
                said[zone] = state
                wanted[zone].append((moment, state))
        return wanted

    def verdict(self) -> dict[str, Any]:
        """What was lost, not due or out of order, and the delays in milliseconds."""
        wanted, late, right = self.expected(), [], 0
        for zone, states in wanted.items():
            heard = self.told.get(zone, [])
            late += matched(states, heard)
            right += [state for _, state in states] == [state for _, state in heard]
        due, came = sum(map(len, wanted.values())), sum(map(len, self.told.values()))
        last = max((at for heard in self.told.values() for at, _ in heard), default=float("inf"))
        seconds = last - self.changes[0][0]
        final_late = [heard[-1][0] - wanted[zone][-1][0] for zone, heard in self.told.items() if heard and wanted[zone]]
        is_right = all(self.told[zone] and self.told[zone][-1][1] == states[-1][1] for zone, states in wanted.items())
        return {
            "changes_per_second": len(self.changes) / seconds, "events_per_second": came / seconds,
            "events_due": due, "lost": due - len(late), "not_due": came - len(late),
            "zones_told_otherwise": len(wanted) - right, "late_ms": spread(late),
            "final_states_late_seconds": max(final_late, default=float("inf")),
            "last_change_to_last_final_state_seconds": last - self.changes[-1][0] if is_right else float("inf"),
        }  # fmt: skip


def matched(states: list[tuple[float, str]], heard: list[tuple[float, str]]) -> list[float]:
    """The delays, in milliseconds, of those states that were told, in their order."""
    delays, rest = [], iter(heard)
    for moment, state in states:
        at = next((at for at, told in rest if told == state), None)
        if at is None:
            break
        delays.append((at - moment) * 1000)
    return delays


def changes_in(journal: Path, offset: int = 0) -> list[Change]:
    """The state changes that stand in a journal behind a place in it."""
    with journal.open() as lines:
        lines.seek(offset)
        rows = [line.split("\t") for line in lines.read().splitlines()]
    return [(float(row[0]), row[2], row[3]) for row in rows if row[1] == "S"]
