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
from typing import NamedTuple

from chunter_nsq.smartos.invocation import Completed
from chunter_nsq.smartos.refusal import UnreadableOutput, check, unreadable
from chunter_nsq.smartos.runner import Runner

KSTAT = "usr/bin/kstat"
NAME_CHARACTERS = 30
_ATTEMPTED = "read kernel statistics"
_HEAD_PARTS = 3


class Kstat(NamedTuple):
    """The statistics of one module, instance and name, as printed."""

    module: bytes
    instance: int
    name: bytes
    values: dict[bytes, bytes]


class Reading:
    """What was printed, and when on the monotonic clock."""

    def __init__(self, completed: Completed, at: float) -> None:
        self.at = at
        self._completed = completed

    def kstats(self) -> Iterator[Kstat]:
        """One by one, in the order of the tool; raises UnreadableOutput at a line that is none."""
        try:
            yield from parse_kstats(self._completed.stdout)
        except ValueError as odd:
            raise self.odd(str(odd)) from odd

    def zones(self) -> dict[int, str]:
        """Zone id to the whole name of each running zone."""
        return parse_zonenames(self._completed.stdout)

    def odd(self, what: str) -> UnreadableOutput:
        """The fault for something printed that makes no sense."""
        return unreadable(self._completed, _ATTEMPTED, f"{what} makes no sense")


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


def parse_kstats(stdout: bytes) -> Iterator[Kstat]:
    """The statistics, gathered as long as lines belong together; raises ValueError at a line that is none."""
    current: bytes | None = None
    kstat = Kstat(b"", 0, b"", {})
    for line in stdout.split(b"\n")[:-1]:
        key, tab, value = line.partition(b"\t")
        head, _, statistic = key.rpartition(b":")
        if head != current:
            if current is not None:
                yield kstat
            parts = head.split(b":", _HEAD_PARTS - 1)
            if len(parts) != _HEAD_PARTS or not parts[1].isdigit():
                raise ValueError(repr(line[:200].decode(errors="replace")))
            current = head
            kstat = Kstat(parts[0], int(parts[1]), parts[2], {})
        if not tab:
            raise ValueError(repr(line[:200].decode(errors="replace")))
        kstat.values[statistic] = value
    if current is not None:
        yield kstat


def parse_zonenames(stdout: bytes) -> dict[int, str]:
    """Zone id to whole name, of the kstats of module ``zones``."""
    names: dict[int, str] = {}
    mark = b":zonename\t"
    at = stdout.find(mark)
    while at >= 0:
        module, _, rest = stdout[stdout.rfind(b"\n", 0, at) + 1 : at].partition(b":")
        zoneid = rest.partition(b":")[0]
        end = stdout.find(b"\n", at)
        if module == b"zones" and zoneid.isdigit():
            names[int(zoneid)] = stdout[at + len(mark) : end].decode(errors="replace")
        at = stdout.find(mark, end)
    return names


class Kstats:
    """``kstat``, for looking only."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def read(self, specs: Sequence[str]) -> Reading:
        """One reading of all these; raises ToolFailed, also when there is none of them."""
        completed = check(await self._runner.run(read_argv(specs)), _ATTEMPTED)
        at = time.monotonic()
        if not completed.stdout.endswith(b"\n"):
            raise unreadable(completed, _ATTEMPTED, "its last line is cut off")
        return Reading(completed, at)
