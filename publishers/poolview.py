"""What to tell of the pools: their figures when they changed, and a warning when one gets full, ill or lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chunter_nsq.messages.events import Event, Note, compact
from chunter_nsq.smartos.zpool import Pool, Report

SPACE = "zpool"
GONE = "gone"
_EVERY_TICKS = 120
_THRESHOLDS_PERCENT = (80, 90, 95)
# How far below its threshold a warning is taken back, so that it does not flap.
_SLACK_PERCENT = 2
_HEALTHY = "ONLINE"
_MIB = 2**20


class Known(NamedTuple):
    """What was last said of a pool: its health, and the threshold it is above (0 for none)."""

    health: str = _HEALTHY
    threshold: int = 0


def figures(pool: Pool, trouble: Mapping[str, Any] | None) -> dict[str, Any]:
    """Space in MB, deduplication in percent (100 is none); None for what the platform does not say."""
    entry = {
        "size": _mib(pool.size_bytes),
        "used": _mib(pool.used_bytes),
        "free": _mib(pool.free_bytes),
        "dedup": pool.dedup_percent,
        "health": pool.health,
    }
    return entry | {"errors": dict(trouble)} if trouble else entry


def trouble_of(report: Report) -> dict[str, Any]:
    """The member ``errors`` of a pool that is not healthy."""
    devices = [
        {
            "name": device.name,
            "depth": device.depth,
            "state": device.state,
            "read": device.read_errors,
            "write": device.write_errors,
            "cksum": device.checksum_errors,
            **({"note": device.note} if device.note else {}),
        }
        for device in report.devices
    ]
    texts = {"status": report.status, "action": report.action, "scan": report.scan, "errors": report.errors}
    return {name: text for name, text in texts.items() if text} | {"devices": devices}


def threshold(capacity_percent: int | None, before: int) -> int:
    """The highest threshold that is passed, given the one that was; 0 for none."""
    if capacity_percent is None:
        return before
    passed = [one for one in _THRESHOLDS_PERCENT if capacity_percent >= one]
    kept = [one for one in _THRESHOLDS_PERCENT if one <= before and capacity_percent > one - _SLACK_PERCENT]
    return max((*passed, *kept), default=0)


class PoolView:
    """Remembers what was said; ``notes`` are those of an earlier run."""

    def __init__(self, host: str, notes: Mapping[str, str]) -> None:
        self._host = host
        self._known = {name: Known(*json.loads(note)) for name, note in notes.items()}
        self._said: dict[str, Any] | None = None
        self._silent = 0

    def told(self, pools: Sequence[Pool], troubles: Mapping[str, Mapping[str, Any]]) -> list[Event | Note]:
        """What there is to tell of this listing; a pool that is listed no more is told as ``gone`` once."""
        listed = {pool.name: figures(pool, troubles.get(pool.name)) for pool in pools}
        unlisted = [name for name, known in self._known.items() if name not in listed and known.health != GONE]
        lost = [Pool(name, None, None, None, None, None, GONE) for name in unlisted]
        told = [one for pool in (*pools, *lost) for one in self._judged(pool)]
        self._silent += 1
        if lost or listed != self._said or self._silent >= _EVERY_TICKS:
            self._said, self._silent = listed, 0
            data = {"event": "zpool", "data": listed | {pool.name: figures(pool, None) for pool in lost}}
            told.insert(0, Event("zpool", "chunter.zpool.status", self._host, data))
        return told

    def _judged(self, pool: Pool) -> list[Event | Note]:
        known = self._known.get(pool.name)
        before = known or Known()
        after = Known(pool.health, threshold(pool.capacity_percent, before.threshold))
        if after == known:
            return []
        self._known[pool.name] = after
        told: list[Event | Note] = [Note(SPACE, pool.name, compact(after))]
        if after.health != before.health:
            told.append(self._warning(pool, "health", _health_state(pool), f"Pool {pool.name} is {pool.health}"))
        if after.threshold != before.threshold:
            state = f"capacity_{after.threshold}" if after.threshold else "recovered"
            told.append(self._warning(pool, "capacity", state, f"Pool {pool.name} is {pool.capacity_percent} % full"))
        return told

    def _warning(self, pool: Pool, what: str, state: str, message: str) -> Event:
        data = {"source": "zpool", "pool": pool.name, "what": what, "state": state, "message": message}
        return Event("announce", "chunter.host.warning", self._host, {"event": "warning", "data": data})


def _health_state(pool: Pool) -> str:
    return "recovered" if pool.is_healthy else pool.health.lower()


def _mib(size_bytes: int | None) -> int | None:
    return None if size_bytes is None else round(size_bytes / _MIB)
