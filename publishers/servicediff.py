"""What changed among the services of one zone between two listings: raw lines in, FMRIs with old and new out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chunter_nsq.messages.events import compact
from chunter_nsq.smartos.svcs import Service, is_same_time, parse_service, parse_since

ATTENTION = frozenset({"maintenance", "degraded"})
PART_BYTES = 2**18
_ENTRY_BYTES = 160

Changes = dict[str, dict[str, Any]]


class OddLine(ValueError):
    """A line of a listing that is not a service's."""

    def __init__(self, line: bytes) -> None:
        super().__init__(line)
        self.line = line


def changes(old: bytes, old_seen: float, new: bytes, now: float) -> Changes:
    """FMRI to ``old`` and ``new`` state and ``since``; ``next`` where it is on its way to another state.

    New services have the old state ``none``, gone ones the new state ``removed`` and no since. Where both are the
    same, the service was started again. A transition alone is no change: it is told by what it leads to.

    Raises:
        OddLine: for a line of ``new`` that is not a service's.
    """
    old_lines, new_lines = set(old.splitlines()), set(new.splitlines())
    before = dict(_services(old_lines - new_lines))
    after = dict(_services(new_lines - old_lines))
    found = {
        fmri: {"old": service.state, "new": "removed", "since": None}
        for fmri, service in before.items()
        if fmri not in after
    }
    for fmri, service in after.items():
        earlier = before.get(fmri)
        if earlier is None or _differs(earlier, old_seen, service, now):
            found[fmri] = _entry(earlier, service, now)
    return dict(sorted(found.items()))


def payload(changed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The Howl message: in ``data`` what is in another state than before, in ``attention`` what needs a hand."""
    data = {fmri: entry["new"] for fmri, entry in changed.items() if entry["old"] != entry["new"]}
    message: dict[str, Any] = {"event": "services", "data": data, "changes": dict(changed)}
    attention = [fmri for fmri, entry in changed.items() if entry["new"] in ATTENTION]
    return message | {"attention": attention} if attention else message


def parts(changed: Changes) -> list[Changes]:
    """The same in pieces that each fit an event well."""
    pieces: list[Changes] = [{}]
    size_bytes = 0
    for fmri, entry in changed.items():
        entry_bytes = 3 * len(compact(fmri)) + _ENTRY_BYTES
        if size_bytes + entry_bytes > PART_BYTES and pieces[-1]:
            pieces.append({})
            size_bytes = 0
        pieces[-1][fmri] = entry
        size_bytes += entry_bytes
    return pieces


def _services(lines: Iterable[bytes]) -> Iterator[tuple[str, Service]]:
    for line in lines:
        service = parse_service(line)
        if service is None:
            raise OddLine(line)
        yield service


def _differs(earlier: Service, seen: float, service: Service, now: float) -> bool:
    return earlier.state != service.state or not is_same_time(earlier.stime, seen, service.stime, now)


def _entry(earlier: Service | None, service: Service, now: float) -> dict[str, Any]:
    since = parse_since(service.stime, now)
    entry: dict[str, Any] = {
        "old": earlier.state if earlier else "none",
        "new": service.state,
        "since": since.text if since else None,
    }
    return entry | {"next": service.next_state} if service.next_state else entry
