"""Pools: their space and health, and the report on one that is in trouble.

A newer ``zpool list`` prints exact numbers (``-p``); an old one refuses that option and rounds (``2.72T``, ``34%``).
Which of the two this host has is found out once. The report is for people on every platform; it is read leniently.
"""

from __future__ import annotations

from typing import NamedTuple

from chunter_nsq.smartos.documents import whole_lines
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.names import checked, is_dataset
from chunter_nsq.smartos.refusal import check, unreadable
from chunter_nsq.smartos.runner import Runner

ZPOOL = "usr/sbin/zpool"
# A pool that has lost its disks can hold the tool up for ever.
_COLUMNS = 7
_USAGE_STATUS = 2
_UNITS = "KMGTPEZ"
_HEALTHY = "ONLINE"
_DEVICE_COLUMNS = 5
_SECTIONS = frozenset(
    {"pool", "state", "status", "action", "see", "scan", "scrub", "remove", "checkpoint", "config", "errors"}
)


class Pool(NamedTuple):
    """A pool; what the platform does not say (``-``), as of a faulted one, is None."""

    name: str
    size_bytes: int | None
    used_bytes: int | None
    free_bytes: int | None
    capacity_percent: int | None
    dedup_percent: int | None
    health: str

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong with it."""
        return self.health == _HEALTHY


class Device(NamedTuple):
    """A line of a pool's configuration; the counters are rounded by the tool and None where there are none."""

    name: str
    depth: int
    state: str
    read_errors: int | None
    write_errors: int | None
    checksum_errors: int | None
    note: str


class Report(NamedTuple):
    """What ``zpool status`` says; texts are empty where it says nothing."""

    state: str
    status: str
    action: str
    scan: str
    errors: str
    devices: tuple[Device, ...]


def list_argv(*, exact: bool = True) -> tuple[str, ...]:
    """All pools; the exact form is not known to an old zpool."""
    return (ZPOOL, "list", "-Hp" if exact else "-H", "-o", "name,size,alloc,free,cap,dedup,health")


def status_argv(pool: str) -> tuple[str, ...]:
    """The report on one pool, damaged files and all."""
    return (ZPOOL, "status", "-v", checked(pool, lambda name: is_dataset(name) and "/" not in name, "a pool"))


def parse_pool(line: str) -> Pool | None:
    """One line of a listing; None when it is not a pool's."""
    columns = line.split("\t")
    if len(columns) != _COLUMNS or not columns[0] or not columns[6].isupper():
        return None
    try:
        size, used, free = (parse_scaled(column) for column in columns[1:4])
        capacity = _number(columns[4].removesuffix("%"))
        dedup = _number(columns[5].rstrip("xX"))
    except ValueError:
        return None
    percent = None if dedup is None else round(dedup * 100)
    return Pool(columns[0], size, used, free, None if capacity is None else round(capacity), percent, columns[6])


def parse_scaled(text: str) -> int | None:
    """``2.72T`` or ``1200`` as a whole number, None for ``-``; raises ValueError for anything else."""
    text = text.removesuffix("B")
    unit = text[-1:].upper()
    power = _UNITS.find(unit) + 1 if unit else 0
    number = _number(text[:-1] if power else text)
    return None if number is None else round(number * 1024**power) if power else int(text)


def _number(text: str) -> float | None:
    if text == "-":
        return None
    if not text.replace(".", "", 1).isdecimal() or not text.isascii():
        raise ValueError(text)
    return float(text)


def parse_report(text: str) -> Report | None:
    """The report on one pool; None when it is not one."""
    sections: dict[str, list[str]] = {}
    section = ""
    for line in text.split("\n"):
        head, colon, rest = line.partition(":")
        if colon and not line.startswith("\t") and head.strip() in _SECTIONS:
            section = head.strip()
            sections[section] = [rest]
        elif section:
            sections[section].append(line)
    if not {"pool", "state"} <= sections.keys():
        return None
    said = {name: " ".join(" ".join(lines).split()) for name, lines in sections.items() if name != "config"}
    devices = tuple(device for line in sections.get("config", ()) if (device := _device(line)) is not None)
    scan = said.get("scan", said.get("scrub", ""))
    return Report(said["state"], said.get("status", ""), said.get("action", ""), scan, said.get("errors", ""), devices)


def _device(line: str) -> Device | None:
    words = line.split(None, _DEVICE_COLUMNS)
    if len(words) < 2 or words[:2] == ["NAME", "STATE"]:  # noqa: PLR2004  # a heading such as ``spares``
        return None
    depth = (len(line) - len(line.lstrip()) - line.count("\t")) // 2
    try:
        read, write, checksum = (parse_scaled(word) for word in words[2:_DEVICE_COLUMNS])
    except ValueError:  # fewer counters, as a spare has, or a note in their place
        return Device(words[0], depth, words[1], None, None, None, " ".join(words[2:]).strip())
    return Device(words[0], depth, words[1], read, write, checksum, " ".join(words[_DEVICE_COLUMNS:]).strip())


class Zpool:
    """``zpool``, for looking only."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._lists_exactly = True

    async def list(self) -> tuple[Pool, ...]:
        """All pools, none at all on a host without; raises ToolFailed."""
        completed = await self._run(list_argv(exact=self._lists_exactly))
        if self._lists_exactly and completed.exit_status == _USAGE_STATUS:
            rounded = await self._run(list_argv(exact=False))
            self._lists_exactly = rounded.exit_status != 0
            completed = rounded if rounded.exit_status == 0 else completed
        attempted = "list the pools"
        lines = whole_lines(check(completed, attempted), attempted).decode(errors="replace").split("\n")[:-1]
        pools = tuple(pool for line in lines if (pool := parse_pool(line)) is not None)
        if len(pools) != len(lines):
            raise unreadable(completed, attempted, "a line is not a pool's")
        return pools

    async def status(self, pool: str) -> Report:
        """The report on one pool; raises ToolFailed, ToolTimeout, NotFound."""
        attempted = f"report on pool {pool}"
        completed = check(await self._run(status_argv(pool)), attempted)
        report = parse_report(completed.stdout.decode(errors="replace"))
        if report is None:
            raise unreadable(completed, attempted, "what it printed is not a report")
        return report

    async def _run(self, argv: tuple[str, ...]) -> Completed:
        return await self._runner.run(argv)
