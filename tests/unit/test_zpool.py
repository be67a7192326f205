from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import desk_in

from chunter_nsq.errors import InvalidMessage, ToolFailed
from chunter_nsq.smartos.zpool import (
    Device,
    Pool,
    Zpool,
    list_argv,
    parse_pool,
    parse_report,
    parse_scaled,
    status_argv,
)

ZPOOL = "usr/sbin/zpool"
REPORT = """\
  pool: zones
 state: DEGRADED
status: One or more devices has experienced an unrecoverable error.  An
\tattempt was made to correct the error.
action: Determine if the device needs to be replaced, and clear the errors
\tusing 'zpool clear' or replace the device with 'zpool replace'.
   see: http://illumos.org/msg/ZFS-8000-9P
  scan: scrub repaired 0 in 0h2m with 0 errors on Sun Apr  3 10:00:00 2016
config:

\tNAME        STATE     READ WRITE CKSUM
\tzones       DEGRADED     0     0     0
\t  mirror-0  DEGRADED     0     0     0
\t    c1t0d0  ONLINE       0     0     0
\t    c1t1d0  FAULTED      3  1.2K     0  too many errors
\tlogs
\t  c2t0d0    ONLINE       0     0     0
\tspares
\t  c1t2d0    AVAIL

errors: Permanent errors have been detected in the following files:

        zones/dc5cbce7:<0x0>
"""


def test_the_command_lines() -> None:
    """Columns are named, numbers exact where the platform can; a report is asked for with its damaged files."""
    assert (ZPOOL, "list", "-Hp", "-o", "name,size,alloc,free,cap,dedup,health") == list_argv()
    assert (ZPOOL, "list", "-H", "-o", "name,size,alloc,free,cap,dedup,health") == list_argv(exact=False)
    assert (ZPOOL, "status", "-v", "zones") == status_argv("zones")


@pytest.mark.parametrize("name", ["-v", "zones/a", "", "a b"])
def test_a_name_that_is_no_pool_starts_nothing(name: str) -> None:
    """An unchecked name never reaches a command line."""
    with pytest.raises(InvalidMessage):
        status_argv(name)


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (
            Pool("zones", 2988489539584, 1016086527180, 1972403012404, 34, 100, "ONLINE"),
            "zones\t2988489539584\t1016086527180\t1972403012404\t34\t1.00\tONLINE",
        ),
        (Pool("zones", 1024, 0, 1024, 34, 125, "DEGRADED"), "zones\t1024\t0\t1024\t34%\t1.25x\tDEGRADED"),
        (Pool("zones", 2990671627551, 1536, None, 34, 100, "ONLINE"), "zones\t2.72T\t1.5K\t-\t34%\t1.00x\tONLINE"),
        (Pool("data", None, None, None, None, None, "FAULTED"), "data\t-\t-\t-\t-\t-\tFAULTED"),
        (None, "zones\t1024\t0\t1024\t34%\tONLINE"),
        (None, "zones\tlots\t0\t1024\t34%\t1.00x\tONLINE"),
        (None, "zones\t1\t0\t1\t34\t1.00x\t"),
        (None, ""),
    ],
)
def test_a_line_becomes_a_pool(expected: object, line: str) -> None:
    """Exact and rounded numbers are read, what is not said is None, and what is odd is no pool."""
    assert expected == parse_pool(line)


@given(st.text(max_size=60))
def test_any_line_is_a_pool_or_none(line: str) -> None:
    """No text makes the parser fail."""
    found = parse_pool(line)
    assert found is None or found.name


@pytest.mark.parametrize(
    ("expected", "text"), [(0, "0"), (1229, "1.2K"), (None, "-"), (2**40, "1T"), (17, "17"), (2**20, "1MB")]
)
def test_rounded_numbers(expected: int | None, text: str) -> None:
    """Units are powers of 1024."""
    assert expected == parse_scaled(text)


def test_a_report_is_read() -> None:
    """Texts over several lines are one, and each device has its counters."""
    report = parse_report(REPORT)
    assert report is not None
    assert "DEGRADED" == report.state
    assert report.status.endswith("An attempt was made to correct the error.")
    assert report.action.startswith("Determine if")
    assert report.scan.startswith("scrub repaired 0")
    assert report.errors == "Permanent errors have been detected in the following files: zones/dc5cbce7:<0x0>"
    assert (
        Device("zones", 0, "DEGRADED", 0, 0, 0, ""),
        Device("mirror-0", 1, "DEGRADED", 0, 0, 0, ""),
        Device("c1t0d0", 2, "ONLINE", 0, 0, 0, ""),
        Device("c1t1d0", 2, "FAULTED", 3, 1229, 0, "too many errors"),
        Device("c2t0d0", 1, "ONLINE", 0, 0, 0, ""),
        Device("c1t2d0", 1, "AVAIL", None, None, None, ""),
    ) == report.devices


def test_what_is_no_report_is_none() -> None:
    """Garbage is told from a report."""
    assert parse_report("Segmentation fault\n") is None


@given(st.text())
def test_any_report_can_be_read(text: str) -> None:
    """Nothing that stands in a report makes the reader fail."""
    assert parse_report(f"  pool: zones\n state: FAULTED\nconfig:\n\n{text}") is not None


async def test_an_old_zpool_is_asked_in_its_own_way(tmp_path: Path) -> None:
    """The refused option is not tried again."""
    async with desk_in(tmp_path) as desk:
        desk.prints(ZPOOL, "")
        path = desk.root / ZPOOL
        path.write_text(
            f'#!/bin/sh\necho "$@" >> {path}.argv\n'
            "case $2 in -Hp) echo \"invalid option 'p'\" >&2; exit 2;; esac\n"
            "printf 'zones\\t2.72T\\t1T\\t1.72T\\t36%%\\t1.00x\\tONLINE\\n'\n",
            encoding="utf-8",
        )
        zpool = Zpool(desk.tools.runner)
        assert [36] == [pool.capacity_percent for pool in await zpool.list()]
        await zpool.list()
        assert ["-Hp", "-H", "-H"] == [line.split()[1] for line in desk.typed(ZPOOL)]


@pytest.mark.parametrize(
    ("text", "status"),
    [("zones\t1\t0\t1\t0\t1.00\tONLINE", 0), ("what?\n", 0), ("", 1), ("", 2)],
)
async def test_what_cannot_be_read_is_a_fault(tmp_path: Path, text: str, status: int) -> None:
    """A cut line, an odd line and a failure are told, never taken for no pools."""
    async with desk_in(tmp_path) as desk:
        desk.prints(ZPOOL, text, status)
        with pytest.raises(ToolFailed) as fault:
            await Zpool(desk.tools.runner).list()
        assert ZPOOL == fault.value.details["argv"][0]


async def test_a_host_without_pools_has_none(tmp_path: Path) -> None:
    """An empty listing is an answer."""
    async with desk_in(tmp_path) as desk:
        desk.prints(ZPOOL, "")
        assert () == await Zpool(desk.tools.runner).list()
