from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import desk_in

from chunter_nsq.errors import ToolFailed
from chunter_nsq.smartos.svcs import (
    Service,
    Svcs,
    is_same_time,
    list_argv,
    parse_service,
    parse_since,
    split_zones,
)

ZONE = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
LISTED = f"""\
{ZONE} legacy_run     -              10:01:19  lrc:/etc/rc2_d/S89PRESERVE
{ZONE} disabled       -              10:01:02  svc:/network/rpc/bind:default
{ZONE} offline        online          9:58:40  svc:/application/bar:default
global           online         -              Apr_03    svc:/network/ssh:default
""".encode()
GLOBAL_LINE = b"global           online         -              Apr_03    svc:/network/ssh:default\n"


def at(text: str) -> float:
    """Epoch seconds."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_one_listing_serves_the_whole_host() -> None:
    """All zones are asked for at once, with the columns in a fixed order."""
    assert ("usr/bin/svcs", "-aHZ", "-o", "zone,state,nstate,stime,fmri") == list_argv()


def test_a_listing_is_cut_by_zone() -> None:
    """Each zone gets its own raw lines."""
    blocks = split_zones(LISTED, {})
    assert [ZONE.encode(), b"global"] == list(blocks)
    assert GLOBAL_LINE == blocks[b"global"]
    assert LISTED == b"".join(blocks.values())


def test_a_block_that_did_not_change_is_the_same_object() -> None:
    """So that identity alone says that nothing happened in a zone."""
    before = split_zones(LISTED, {})
    after = split_zones(LISTED.replace(b"Apr_03", b"Apr_04"), before)
    assert before[ZONE.encode()] is after[ZONE.encode()]
    assert before[b"global"] is not after[b"global"]


def test_a_line_more_behind_a_known_block_is_found() -> None:
    """A block that only grew at its end is not taken for the known one."""
    known = {b"global": GLOBAL_LINE}
    assert {b"global": GLOBAL_LINE + b"global x - - svc:/new:a\n"} == split_zones(
        GLOBAL_LINE + b"global x - - svc:/new:a\n", known
    )


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "customer-website-1", "customer-website-2"]), st.integers(0, 9))))
def test_alternating_zones_come_out_whole_and_in_order(rows: list[tuple[str, int]]) -> None:
    """Whatever the order of the lines, each zone's block holds its lines in theirs."""
    lines = [f"{zone} online - - svc:/s{number}:x\n".encode() for zone, number in rows]
    expected: dict[bytes, bytes] = {}
    for (zone, _), line in zip(rows, lines, strict=True):
        expected[zone.encode()] = expected.get(zone.encode(), b"") + line
    assert expected == split_zones(b"".join(lines), {})
    assert expected == split_zones(b"".join(lines), expected)
    assert expected == split_zones(
        b"".join(lines), {zone: block[: block.index(b"\n") + 1] for zone, block in expected.items()}
    )


@given(st.binary(max_size=200), st.binary(max_size=40))
def test_any_bytes_can_be_cut(garbage: bytes, known: bytes) -> None:
    """Nothing is lost and nothing hangs, whatever the tool printed."""
    blocks = split_zones(garbage, {b"": known, b"a": known})
    assert len(garbage) == sum(map(len, blocks.values()))


@pytest.mark.parametrize(
    ("expected", "line"),
    [
        (
            ("svc:/application/bar:default", Service("offline", "online", "9:58:40")),
            f"{ZONE} offline        online          9:58:40  svc:/application/bar:default",
        ),
        (("lrc:/etc/rc2_d/S89", Service("legacy_run", None, "2019")), "z legacy_run - 2019     lrc:/etc/rc2_d/S89"),
        (("svc:/a:b", Service("online", None, "-")), "z online* - - svc:/a:b"),
        (None, "z online - 10:00:00"),
        (None, "svcs: warning: something is odd here"),
        (None, ""),
    ],
)
def test_a_line_becomes_a_service(expected: object, line: str) -> None:
    """Columns are parted by blanks however wide they are; what has no FMRI is no service."""
    assert expected == parse_service(line.encode())


@pytest.mark.parametrize(
    ("expected", "stime"),
    [
        ("2026-04-03T10:01:22Z", "10:01:22"),
        ("2026-04-02T23:59:59Z", "23:59:59"),
        ("2026-04-03T09:58:40Z", "9:58:40"),
        ("2026-04-03", "Apr_03"),
        ("2025-12-31", "Dec_31"),
        ("2024-02-29", "Feb_29"),
        ("2019", "2019"),
    ],
)
def test_printed_times_become_moments(expected: str, stime: str) -> None:
    """The year and the day that are not printed are the last possible ones."""
    since = parse_since(stime, at("2026-04-03 12:00:00"))
    assert since is not None
    assert expected == since.text


@pytest.mark.parametrize("stime", ["-", "?", "", "::", "a:b:c", "Apr_", "Foo_03", "Apr_99", "0", "99999"])
def test_what_is_no_time_is_none(stime: str) -> None:
    """A service whose time is not known is a service all the same."""
    assert parse_since(stime, at("2026-04-03 12:00:00")) is None


@pytest.mark.parametrize(
    ("same", "old", "seen", "new", "now"),
    [
        (True, "10:01:22", "2026-04-03 12:00:00", "10:01:22", "2026-04-03 12:00:10"),
        (True, "10:01:22", "2026-04-04 10:01:20", "Apr_03", "2026-04-04 10:01:30"),
        (True, "23:59:58", "2026-04-03 23:59:59", "Apr_03", "2026-04-05 00:00:00"),
        (True, "Dec_31", "2026-12-01 00:00:00", "2025", "2027-01-02 00:00:00"),
        (True, "10:01:22", "2026-04-03 12:00:00", "2026", "2027-06-01 00:00:00"),
        (False, "10:01:22", "2026-04-03 12:00:00", "10:01:23", "2026-04-03 12:00:10"),
        (False, "Apr_03", "2026-04-05 12:00:00", "12:00:05", "2026-04-05 12:00:10"),
        (False, "2025", "2026-12-31 12:00:00", "Dec_31", "2027-01-01 12:00:10"),
        (False, "10:01:22", "2026-04-03 12:00:00", "Apr_05", "2026-04-07 00:00:00"),
        (False, "-", "2026-04-03 12:00:00", "12:00:05", "2026-04-03 12:00:10"),
    ],
)
def test_age_alone_is_no_restart(same: bool, old: str, seen: str, new: str, now: str) -> None:  # noqa: FBT001 - a table
    """A time that was only printed coarser because it got old is the same time."""
    assert same == is_same_time(old, at(seen), new, at(now))


def printed(moment: float, now: float) -> str:
    """As the platform prints it."""
    then = datetime.fromtimestamp(moment, UTC)
    if now - moment < 86400:
        return f"{then.hour}:{then:%M:%S}"
    return f"{then:%b_%d}" if now - moment < 360 * 86400 else f"{then:%Y}"


@given(st.integers(1_600_000_000, 1_900_000_000), st.integers(0, 800 * 86400), st.integers(0, 800 * 86400))
def test_no_age_is_ever_taken_for_a_restart(moment: int, first: int, more: int) -> None:
    """A service that is left alone looks the same at any two moments of its life."""
    seen, now = moment + first, moment + first + more
    assert is_same_time(printed(moment, seen), seen, printed(moment, now), now)


@given(st.integers(1_600_000_000, 1_900_000_000), st.integers(0, 800 * 86400), st.integers(1, 86399))
def test_a_restart_within_a_day_is_always_seen(moment: int, age: int, later: int) -> None:
    """A service that was started again since the last look differs, whatever was printed then."""
    seen, now = moment + age, moment + age + later
    assert not is_same_time(printed(moment, seen), seen, printed(seen + later / 2, now), now) or later < 2


async def test_a_listing_that_is_cut_off_is_a_fault(tmp_path: Path) -> None:
    """A tool that ends well in the middle of a line is not believed."""
    async with desk_in(tmp_path) as desk:
        desk.prints("usr/bin/svcs", LISTED.decode()[:-3])
        with pytest.raises(ToolFailed, match="cut off"):
            await Svcs(desk.tools.runner).listing({})


async def test_an_empty_listing_is_a_fault(tmp_path: Path) -> None:
    """The global zone always has services."""
    async with desk_in(tmp_path) as desk:
        desk.prints("usr/bin/svcs", "")
        with pytest.raises(ToolFailed, match="nothing"):
            await Svcs(desk.tools.runner).listing({})
