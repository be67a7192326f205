"""The snapshots of a pool, read machine by machine.

Theory: the names of a machine's datasets all begin with that of its root (``zones/<zone>``, ``zones/<zone>/data``,
``zones/<zone>-disk0``), and a sorted listing keeps names that begin alike together. So a machine is complete as soon as
a name comes that begins otherwise, and only the machines in between are in memory: one, as a rule.

Not promised: that the last machine is complete. It is when the tool has ended well, and then ``finish`` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from chunter_nsq.errors import ToolFailed
from chunter_nsq.smartos.zfs_rows import Snapshot


def owner(dataset: str) -> str:
    """The zone that a dataset would belong to: ``zones/<zone>``, ``zones/<zone>-disk0``, ``zones/<zone>/data``."""
    component = dataset.partition("/")[2].partition("/")[0]
    zone, disk, number = component.rpartition("-disk")
    return zone if disk and number.isdecimal() else component


class Listing:
    """Takes the snapshots of one pool, sorted, and gives the machines' texts; ``zones`` maps ``owner`` to a uuid."""

    def __init__(self, pool: str, zones: Mapping[str, str]) -> None:
        self._pool = pool
        self._zones = zones
        self._unseen = set(zones)
        self._dataset = ""
        self._lines: list[str] | None = None
        self._open: dict[str, list[str]] = {}

    def feed(self, snapshot: Snapshot) -> list[tuple[str, str]]:
        """One more; the machines that it shows to be complete. Those of images and of the host are passed over."""
        complete = self._enter(snapshot.dataset) if snapshot.dataset != self._dataset else []
        if self._lines is not None:
            self._lines.append(f"{self._pool}\t{snapshot.name}\t{snapshot.used_bytes}\t{snapshot.created}\n")
        return complete

    def finish(self) -> Iterator[tuple[str, str]]:
        """The machines that are left, those without a snapshot among them."""
        yield from self._close(list(self._open))
        for zone in sorted(self._unseen):
            yield self._zones[zone], ""

    def _enter(self, dataset: str) -> list[tuple[str, str]]:
        complete = self._close([zone for zone in self._open if not dataset.startswith(f"{self._pool}/{zone}")])
        zone = owner(dataset)
        self._dataset = dataset
        self._lines = self._opened(zone) if zone in self._zones else None
        return complete

    def _opened(self, zone: str) -> list[str]:
        if zone not in self._open and zone not in self._unseen:
            raise ToolFailed(
                f"cannot list the snapshots of {self._pool}: they are not sorted by name", {"dataset": self._dataset}
            )
        self._unseen.discard(zone)
        return self._open.setdefault(zone, [])

    def _close(self, zones: list[str]) -> list[tuple[str, str]]:
        return [(self._zones[zone], "".join(self._open.pop(zone))) for zone in zones]
