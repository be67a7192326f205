"""Kernel statistics, through ``kstat``, several kinds at once.

The tool reads every statistic of the kernel as soon as one specification leaves the name open, which takes seconds
where there are a thousand zones: ask by name, a pattern at least. A name is cut at 30 characters, so a zone's uuid is
not whole in it; its instance is the zone's id. The snapshot times it prints are those of the reading before: take the
clock's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from chunter_nsq.smartos.documents import whole_lines
from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import UnreadableOutput, check, unreadable
from chunter_nsq.smartos.runner import Runner

KSTAT = "usr/bin/kstat"
NAME_CHARACTERS = 30
_ATTEMPTED = "read kernel statistics"
_HEAD_PARTS = 3
_SHOWN_BYTES = 200


class Head(NamedTuple):
    """Whose statistics these are, and what they are called, in the order of the tool."""

    key: tuple[bytes, int, bytes]
    statistics: tuple[bytes, ...]

    @property
    def module(self) -> bytes:
        """The module; the key's other parts are instance and name."""
        return self.key[0]

    @property
    def instance(self) -> int:
        """The instance, which of a zone's statistics is the zone's id."""
        return self.key[1]


class Kstat(NamedTuple):
    """The statistics of one module, instance and name, as printed."""

    head: Head
    values: list[bytes]

    def value(self, statistic: bytes) -> bytes | None:
        """One of them, None when it was not printed."""
        statistics = self.head.statistics
        return self.values[statistics.index(statistic)] if statistic in statistics else None


class Layout(NamedTuple):
    """What stands on which line: the same from reading to reading as long as no zone comes or goes."""

    keys: list[bytes]
    heads: list[Head]
    zonenames: list[tuple[int, int]]
    """Zone id, and which of the values is that zone's whole name."""

    @classmethod
    def of(cls, keys: list[bytes]) -> Layout:
        """That of a reading; ValueError at a key that is no statistic's."""
        heads = list(_heads(keys))
        names: list[tuple[int, int]] = []
        at = 0
        for head in heads:
            if head.module == b"zones" and b"zonename" in head.statistics:
                names.append((head.instance, at + head.statistics.index(b"zonename")))
            at += len(head.statistics)
        return cls(keys, heads, names)


class Table(NamedTuple):
    """A reading, apart from when it was: the values in the places that the layout names."""

    layout: Layout
    values: list[bytes]

    def kstats(self) -> Iterator[Kstat]:
        """One by one, in the order of the tool."""
        at = 0
        for head in self.layout.heads:
            end = at + len(head.statistics)
            yield Kstat(head, self.values[at:end])
            at = end

    def zones(self) -> dict[int, str]:
        """Zone id to the whole name of each running zone."""
        return {zone: self.values[place].decode(errors="replace") for zone, place in self.layout.zonenames}


class Reading(NamedTuple):
    """What was printed, and when on the monotonic clock."""

    table: Table
    at: float
    completed: Completed

    def odd(self, what: str) -> UnreadableOutput:
        """The fault for something printed that makes no sense."""
        return _odd(self.completed, what)


def read_argv(specs: Sequence[str]) -> tuple[str, ...]:
    """``module:instance:name:statistic`` each; a part is empty, a shell's pattern, or /a regular expression/."""
    return (KSTAT, "-p", *specs)


def any_of(names: Sequence[str]) -> str:
    """A pattern for one of these, for a part of a specification."""
    return f"/^({'|'.join(map(_plain, names))})$/"


def any_zone(by_hand: Sequence[str]) -> str:
    """A pattern for the names of the global zone, of zones named by uuid, and of these others."""
    names = ("global", *(name[:NAME_CHARACTERS] for name in by_hand))
    return f"/^([0-9a-f]{{8}}-[0-9a-f]{{4}}-|({'|'.join(map(_plain, names))})$)/"


def _plain(text: str) -> str:
    """A text that stands for itself in an extended regular expression, and in which no ``:`` or ``/`` can be."""
    return re.sub(r"[^A-Za-z0-9_-]", ".", text)


def parse_table(stdout: bytes, known: Layout | None = None) -> Table:
    """All lines at once; with ``known``, the layout of the reading before, most of the work was done then.

    Raises:
        ValueError: at a line that is no statistic.
    """
    cells = stdout.replace(b"\n", b"\t").split(b"\t")
    lines = stdout.count(b"\n")
    if len(cells) != 2 * lines + 1:
        odd = next((line for line in stdout.split(b"\n")[:-1] if line.count(b"\t") != 1), b"")
        raise ValueError(repr(odd[:_SHOWN_BYTES].decode(errors="replace")))
    keys = cells[:-1:2]
    layout = known if known is not None and known.keys == keys else Layout.of(keys)
    return Table(layout, cells[1::2])


def _heads(keys: Sequence[bytes]) -> Iterator[Head]:
    """What belongs together stands together; names that many of them share are kept once."""
    shared: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}
    for head, group in groupby((key.rpartition(b":") for key in keys), key=itemgetter(0)):
        parts = head.split(b":", _HEAD_PARTS - 1)
        if len(parts) != _HEAD_PARTS or not parts[1].isdigit():
            raise ValueError(repr(head[:_SHOWN_BYTES].decode(errors="replace")))
        statistics = tuple(statistic for _, _, statistic in group)
        yield Head((parts[0], int(parts[1]), parts[2]), shared.setdefault(statistics, statistics))


def _odd(completed: Completed, what: str) -> UnreadableOutput:
    return unreadable(completed, _ATTEMPTED, f"{what} makes no sense")


class Kstats:
    """``kstat``, for looking only; one for each set of specifications that is read again and again."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._layout: Layout | None = None

    async def read(self, specs: Sequence[str]) -> Reading:
        """One reading of all these; raises ToolFailed, also when there is none of them."""
        completed = check(await self._runner.run(read_argv(specs)), _ATTEMPTED)
        at = time.monotonic()
        stdout = whole_lines(completed, _ATTEMPTED)
        if not stdout:
            raise unreadable(completed, _ATTEMPTED, "it printed nothing")
        try:
            table = parse_table(stdout, self._layout)
        except ValueError as odd:
            raise _odd(completed, str(odd)) from odd
        self._layout = table.layout
        brief = Completed(completed.argv, 0, stdout[:_SHOWN_BYTES], completed.stderr, completed.seconds)
        return Reading(table, at, brief)
