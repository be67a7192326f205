"""Which backups to keep by a rule, such that every one kept can be restored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chunter_nsq.errors import InvalidMessage
from chunter_nsq.storage.chain import Points, children

_MOST = 100_000
_PERIODS: Mapping[str, Callable[[datetime], Any]] = {
    "daily": lambda moment: moment.date(),
    "weekly": lambda moment: moment.isocalendar()[:2],
    "monthly": lambda moment: (moment.year, moment.month),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Keep:
    """The newest ``last``, and the newest of each of the newest so many days, weeks and months (UTC) that have any."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Keep:
        """Out of a command. Raises InvalidMessage for unknown members, odd numbers, and a rule that keeps nothing."""
        names = ("last", *_PERIODS)
        faults = [f"keep.{name}: there is no such member" for name in given if name not in names]
        faults += [
            f"keep.{name}: must be a whole number of 0 to {_MOST}"
            for name in names
            if name in given and not (type(given[name]) is int and 0 <= given[name] <= _MOST)
        ]
        if not faults and not any(given.values()):
            faults.append("keep: keeps nothing at all")
        if faults:
            raise InvalidMessage("; ".join(faults), {"faults": faults})
        return cls(**given)


@dataclass(frozen=True, slots=True)
class Pruning:
    """``kept`` newest first, each with why; ``deleted`` in an order that never leaves a backup without its parent."""

    kept: Mapping[str, tuple[str, ...]]
    deleted: tuple[str, ...]


def prune(found: Points, keep: Keep) -> Pruning:
    """Apply a rule to the backups of one VM; what is needed to restore one that is kept, is kept."""
    newest = sorted(found, key=lambda name: (_moment(found[name].created), name), reverse=True)
    reasons: dict[str, list[str]] = {name: [] for name in newest}
    for name in newest[: keep.last]:
        reasons[name].append("last")
    for rule, period in _PERIODS.items():
        seen: set[Any] = set()
        for name in newest:
            when = period(_moment(found[name].created))
            if when not in seen and len(seen) < getattr(keep, rule):
                seen.add(when)
                reasons[name].append(rule)
    for name in [name for name in newest if reasons[name]]:
        _need(found, name, reasons)
    kept = {name: tuple(why) for name, why in reasons.items() if why}
    return Pruning(kept, _in_order(found, [name for name in newest if name not in kept]))


def _need(found: Points, name: str, reasons: dict[str, list[str]]) -> None:
    """Its parents, up to a full backup or where the chain is broken."""
    passed = {name}
    parent = found[name].parent
    while parent is not None and parent.name in found and parent.name not in passed:
        passed.add(parent.name)
        if not reasons[parent.name]:
            reasons[parent.name].append(f"needed by {name}")
        parent = found[parent.name].parent


def _in_order(found: Points, names: list[str]) -> tuple[str, ...]:
    deleted: list[str] = []
    for name in names:
        below = [each for each in children(found, name) if each not in deleted]
        deleted += [each for each in (*below, name) if each not in deleted]
    return tuple(deleted)


def _moment(text: str) -> datetime:
    """RFC 3339; what is none counts as the oldest of all, and what has no zone as UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
