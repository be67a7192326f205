"""Services as a table: the columns that svcs knows, their order, and the moments as it prints them."""

from __future__ import annotations

import time

from chunter_nsq.smartos.simulator.smf import names
from chunter_nsq.smartos.simulator.smf.patterns import service_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from chunter_nsq.smartos.simulator.smf.repository import Boot, Service

DAY_SECONDS = 86400
YEAR_SECONDS = 12 * 30 * DAY_SECONDS
ZONE_CHARACTERS, FMRI_CHARACTERS, PART_CHARACTERS = 16, 50, 20  # so much of them is sorted by
# state -> rank, short, one letter
STATES = {
    "legacy_run": (0, "LRC", "L"), "disabled": (1, "DIS", "d"), "online": (2, "ON", "1"),
    "degraded": (3, "DGD", "D"), "offline": (4, "OFF", "0"), "maintenance": (5, "MNT", "m"),
    "uninitialized": (6, "UN", "u"), "-": (7, "-", "-"),
}  # fmt: skip
WIDTHS = {
    "ctid": 6, "desc": 100, "fmri": 50, "inst": 20, "n": 1, "nsta": 4, "nstate": 14, "s": 2, "scope": 20, "sn": 2,
    "svc": 20, "sta": 4, "state": 14, "stime": 9, "zone": 16,
}  # fmt: skip
NEXT_COLUMNS = frozenset({"n", "sn", "nsta", "nstate"})


class Row:
    """A service of a zone."""

    __slots__ = ("boot", "service")

    def __init__(self, boot: Boot, service: Service) -> None:
        self.boot = boot
        self.service = service


class Clock:
    """Moments as svcs prints them: the time of the last 24 hours, then the day, then the year; UTC."""

    def __init__(self, now: float) -> None:
        self._now = now
        self._known: dict[int, str] = {}

    def text(self, moment: float) -> str:
        """Nine characters at most."""
        second = int(moment)
        found = self._known.get(second)
        if found is None:
            found = self._known[second] = self._text(second)
        return found

    def _text(self, second: int) -> str:
        age, parts = self._now - second, time.gmtime(second)
        if age < DAY_SECONDS:
            return f"{parts.tm_hour:2d}:{parts.tm_min:02d}:{parts.tm_sec:02d}"
        return time.strftime("%b_%d" if age < YEAR_SECONDS else "%Y", parts)


class Table:
    """The chosen columns; ``now`` in epoch seconds."""

    def __init__(self, columns: Sequence[str], now: float) -> None:
        self.columns = columns
        self._clock = Clock(now)
        self._marked = not NEXT_COLUMNS & set(columns)
        cells: dict[str, Callable[[Row], str]] = {
            "ctid": contract, "desc": lambda row: names.DESCRIPTIONS.get(row.service.fmri, "-"),
            "fmri": lambda row: row.service.fmri, "inst": _instance, "n": lambda row: _next(row, 2),
            "nsta": lambda row: _next(row, 1), "nstate": lambda row: row.service.phase.next_state,
            "s": lambda row: STATES[row.service.phase.state][2] + self._mark(row),
            "scope": lambda _row: "localhost", "sn": lambda row: STATES[row.service.phase.state][2] + _next(row, 2),
            "svc": _name, "sta": lambda row: STATES[row.service.phase.state][1] + self._mark(row),
            "state": lambda row: row.service.phase.state + self._mark(row),
            "stime": lambda row: self._clock.text(row.service.phase.since), "zone": lambda row: row.boot.zone,
        }  # fmt: skip
        self._cells = [cells[column] for column in columns]
        self._format = " ".join(f"%{'' if column == 'ctid' else '-'}{WIDTHS[column]}s" for column in columns)

    def _mark(self, row: Row) -> str:
        return "*" if self._marked and row.service.phase.next_state != "-" else ""

    def header(self) -> str:
        """The line above."""
        return " ".join(column.upper().ljust(WIDTHS[column]) for column in self.columns).rstrip()

    def line(self, row: Row) -> str:
        """The service's line."""
        return (self._format % tuple([cell(row) for cell in self._cells])).rstrip()


def default_key(row: Row) -> tuple[int, float, str]:
    """State, time and FMRI: the order within a zone."""
    phase = row.service.phase
    return STATES[phase.state][0], phase.since, row.service.fmri[:FMRI_CHARACTERS]


def contract(row: Row) -> str:
    """The process contract of a service that runs."""
    if row.service.phase.state not in ("online", "degraded", "legacy_run") or "/milestone/" in row.service.fmri:
        return "-"
    return str(60 + row.boot.zoneid * 211 + row.service.position)


def _next(row: Row, which: int) -> str:
    return str(STATES[row.service.phase.next_state][which])


def _instance(row: Row) -> str:
    fmri = row.service.fmri
    return "-" if names.is_legacy(fmri) else fmri.rpartition(":")[2]


def _name(row: Row) -> str:
    return service_of(row.service.fmri).partition(":/")[2]


KEYS: dict[str, Callable[[Row], Any]] = {
    "zone": lambda row: row.boot.zone[:ZONE_CHARACTERS],
    "state": lambda row: STATES[row.service.phase.state][0],
    "s": lambda row: STATES[row.service.phase.state][0],
    "sta": lambda row: STATES[row.service.phase.state][0],
    "nstate": lambda row: STATES[row.service.phase.next_state][0],
    "n": lambda row: STATES[row.service.phase.next_state][0],
    "nsta": lambda row: STATES[row.service.phase.next_state][0],
    "sn": lambda row: (STATES[row.service.phase.state][0], STATES[row.service.phase.next_state][0]),
    "stime": lambda row: row.service.phase.since,
    "fmri": lambda row: row.service.fmri[:FMRI_CHARACTERS],
    "inst": lambda row: _instance(row)[:PART_CHARACTERS],
    "svc": lambda row: _name(row)[:PART_CHARACTERS],
    "ctid": lambda row: int(contract(row)) if contract(row) != "-" else 0,
    "desc": lambda _row: "",
    "scope": lambda _row: "",
}
