"""Services of the global zone and of every running zone, through one ``svcs``.

The listing is cut into one block of raw lines for each zone, and a block that is the same as the last time is never
looked into: that is what a thousand zones of sixty services each can afford every few seconds. Only the platform's
running zones are listed, and of those only the ones that have services (no lx, bhyve or kvm), without a word.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime, timedelta
from typing import NamedTuple

from chunter_nsq.smartos.documents import whole_lines
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import UnreadableOutput, check, unreadable
from chunter_nsq.smartos.runner import Runner

SVCS = "usr/bin/svcs"
# The tool asks the repository of each zone in turn: up to a tenth of a second each.
_TIMEOUT_SECONDS = 120.0
_ATTEMPTED = "list the services"
_COLUMNS = 5
_CLOCK_PARTS = 3
_DAY_SECONDS = 86400
_YEARS_BACK = 8  # far enough for a 29th of February
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Service(NamedTuple):
    """A service as listed; ``next_state`` is None unless it is on its way there; ``stime`` as printed."""

    state: str
    next_state: str | None
    stime: str


class Since(NamedTuple):
    """When a service got into its state, in epoch seconds: some time from ``first`` to ``last``."""

    first: float
    last: float
    text: str

    @property
    def is_exact(self) -> bool:
        """Whether it is known to the second."""
        return self.first == self.last


class Listing(NamedTuple):
    """The raw lines of each zone, in the order of the listing, and when it was over (epoch seconds)."""

    blocks: Mapping[bytes, bytes]
    ended: float
    completed: Completed

    def odd(self, line: bytes) -> UnreadableOutput:
        """The fault for a line that is not a service's."""
        shown = line[:200].decode(errors="replace")
        return unreadable(self.completed, _ATTEMPTED, f"a line is not a service's: {shown!r}")


def list_argv() -> tuple[str, ...]:
    """Every service of every zone, disabled ones too."""
    return (SVCS, "-aHZ", "-o", "zone,state,nstate,stime,fmri")


def split_zones(stdout: bytes, known: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Zone to its raw lines; where they are those of ``known``, the very same object.

    The tool sorts by the first characters of the zone's name only, so the lines of two zones may alternate.
    """
    runs: dict[bytes, list[bytes]] = {}
    at, end = 0, len(stdout)
    while at < end:
        zone = stdout[at : max(stdout.find(b" ", at), at)]
        run = known.get(zone, b"")
        if not run or zone in runs or not stdout.startswith(run, at):
            run = stdout[at : _end_of_run(stdout, at, zone + b" ")]
        runs.setdefault(zone, []).append(run)
        at += len(run)
    return {zone: _joined(parts, known.get(zone)) for zone, parts in runs.items()}


def _end_of_run(stdout: bytes, at: int, head: bytes) -> int:
    """Where the lines that begin with ``head`` end; always behind the first line."""
    while True:
        line_feed = stdout.find(b"\n", at)
        if line_feed < 0:
            return len(stdout)
        at = line_feed + 1
        if not stdout.startswith(head, at):
            return at


def _joined(parts: list[bytes], known: bytes | None) -> bytes:
    block = parts[0] if len(parts) == 1 else b"".join(parts)
    return known if known is not None and block == known else block


def parse_service(line: bytes) -> tuple[str, Service] | None:
    """FMRI and service; None when the line is not one."""
    columns = line.split(None, _COLUMNS - 1)
    if len(columns) != _COLUMNS or not columns[4].startswith((b"svc:", b"lrc:")):
        return None
    _, state, next_state, stime, fmri = (column.decode(errors="replace") for column in columns)
    return fmri.rstrip(), Service(state.rstrip("*"), None if next_state == "-" else next_state, stime)


def parse_since(stime: str, now: float) -> Since | None:
    """The time printed as ``10:01:22``, ``Apr_03`` or ``2019``, looked at from ``now``; None when it is none."""
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if stime.count(":") == _CLOCK_PARTS - 1:
        return _clock(stime, today, now)
    month, underscore, day = stime.partition("_")
    if underscore and month in _MONTHS and day.isdecimal():
        return _day(_MONTHS.index(month) + 1, int(day), today)
    if stime.isdecimal() and MINYEAR < int(stime) < MAXYEAR:
        first = datetime(int(stime), 1, 1, tzinfo=UTC)
        return Since(first.timestamp(), first.replace(year=first.year + 1).timestamp() - 1, stime)
    return None


def is_same_time(old: str, old_seen: float, new: str, now: float) -> bool:
    """Whether a printed time can be an older one that only got coarser by its age: clock, then day, then year."""
    if old == new:
        return True
    before, after = parse_since(old, old_seen), parse_since(new, now)
    if before is None or after is None or after.last - after.first <= before.last - before.first:
        return False
    # A clock alone does not say whether it was today's when it was read about a day later.
    first = before.first - _DAY_SECONDS if before.is_exact else before.first
    return first <= after.last and after.first <= before.last


def _clock(stime: str, today: datetime, now: float) -> Since | None:
    parts = stime.split(":")
    if not all(part.isdecimal() for part in parts):
        return None
    hours, minutes, seconds = (int(part) for part in parts)
    at = today.timestamp() + hours * 3600 + minutes * 60 + seconds
    if at > now:
        at -= _DAY_SECONDS
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Since(at, at, text)


def _day(month: int, day: int, today: datetime) -> Since | None:
    """The last such day that is not in the future."""
    for year in range(today.year, today.year - _YEARS_BACK - 1, -1):
        try:
            found = datetime(year, month, day, tzinfo=UTC)
        except ValueError:
            continue
        if found <= today:
            last = found + timedelta(days=1, seconds=-1)
            return Since(found.timestamp(), last.timestamp(), found.date().isoformat())
    return None


class Svcs:
    """``svcs``, for looking only."""

    def __init__(self, runner: Runner, timeout_seconds: float = _TIMEOUT_SECONDS) -> None:
        self._runner = runner
        self._timeout_seconds = timeout_seconds

    async def listing(self, known: Mapping[bytes, bytes]) -> Listing:
        """Every service of every zone; ``known`` holds the blocks of the last time.

        Raises:
            ToolFailed: it failed, or what it printed is not whole.
        """
        completed = check(await self._runner.run(list_argv(), timeout_seconds=self._timeout_seconds), _ATTEMPTED)
        stdout = whole_lines(completed, _ATTEMPTED)
        if not stdout:
            raise unreadable(completed, _ATTEMPTED, "it listed nothing, not even the global zone's")
        brief = Completed(completed.argv, completed.exit_status, stdout[:512], completed.stderr, completed.seconds)
        return Listing(split_zones(stdout, known), time.time(), brief)
