from __future__ import annotations

from pathlib import Path

import pytest
from tool_scripts import shell_tool

from chunter_nsq.errors import InvalidMessage, ToolFailed
from chunter_nsq.smartos.refusal import UnreadableOutput
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zoneadm import (
    Zone,
    Zoneadm,
    ZoneListing,
    find_argv,
    list_argv,
    parse_zones,
)

WEB = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
LISTING = rf"""0:global:running:/::liveimg:shared:0
21:{WEB}:running:/zones/{WEB}:{WEB}:joyent-minimal:excl:21
-:oddpath:installed:/zones/a\:b:f8c5bd0e-c26c-4ac2-a5a0-7dd1b4ff6b6d:joyent:excl:40
-:old:configured:/zones/old::kvm:shared
-:nodebug:incomplete:/zones/x::lx:excl:-1
34:dying:shutting_down:/zones/y::lx:excl:29
"""
ZONES = (
    Zone(21, WEB, "running", f"/zones/{WEB}", WEB, "joyent-minimal", "excl", 21),
    Zone(None, "oddpath", "installed", "/zones/a:b", "f8c5bd0e-c26c-4ac2-a5a0-7dd1b4ff6b6d", "joyent", "excl", 40),
    Zone(None, "old", "configured", "/zones/old", "", "kvm", "shared", None),
    Zone(None, "nodebug", "incomplete", "/zones/x", "", "lx", "excl", None),
    Zone(34, "dying", "shutting_down", "/zones/y", "", "lx", "excl", 29),
)


def test_argument_vectors():
    """What is typed."""
    assert list_argv() == ("usr/sbin/zoneadm", "list", "-ip")
    assert find_argv(WEB) == ("usr/sbin/zoneadm", "-z", WEB, "list", "-p")


def test_listing():
    """A listing is read field by field, older platforms' too, without the global zone."""
    assert ZoneListing(ZONES, (), has_global=True) == parse_zones(LISTING.encode())


@pytest.mark.parametrize(
    "line", ["nonsense", "1:a:b", "x:web:running:/::a:b:1", "1::running:/::a:b:1", "1:w:r:/:u:b:i:z9"]
)
def test_odd_line(line: str):
    """A line of another form is put aside, and the others are read."""
    assert ZoneListing(ZONES, (line,), has_global=True) == parse_zones(f"{line}\n{LISTING}".encode())


def test_bytes_that_are_no_text():
    """Bytes that are no text do not hurt."""
    assert parse_zones(b"\xff\xfe:\x00\n").zones == ()


async def test_list(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """The wrapper lists the zones and tells of odd lines in the log."""
    shell_tool(tmp_path, "zoneadm", f"[ \"$*\" = 'list -ip' ] && cat <<'END'\nodd\n{LISTING}END")

    zones = await Zoneadm(Runner(tmp_path)).list()

    assert zones == ZONES
    assert [("zoneadm.odd_lines", 1)] == [(record.message, record.count) for record in caplog.records]


async def test_unchanged_listing(tmp_path: Path):
    """As long as nothing changes the very same tuple comes back."""
    shell_tool(tmp_path, "zoneadm", f"cat <<'END'\n{LISTING}END")
    zoneadm = Zoneadm(Runner(tmp_path))

    first, second = await zoneadm.list(), await zoneadm.list()
    shell_tool(tmp_path, "zoneadm", "echo 0:global:running:/::x:shared:0; echo '7:x:running:/zones/x::lx:excl:29'")
    third = await zoneadm.list()

    assert first is second
    assert third == (Zone(7, "x", "running", "/zones/x", "", "lx", "excl", 29),)


async def test_find(tmp_path: Path):
    """One zone is found by name; an unknown one is None, not an error."""
    shell_tool(
        tmp_path,
        "zoneadm",
        f"if [ $2 = {WEB} ]; then echo '21:{WEB}:ready:/zones/{WEB}::lx:excl:1'; exit 0; fi\n"
        'echo "zoneadm: $2: No such zone configured" >&2; exit 1',
    )
    zoneadm = Zoneadm(Runner(tmp_path))

    assert Zone(21, WEB, "ready", f"/zones/{WEB}", "", "lx", "excl", 1) == await zoneadm.find(WEB)
    assert await zoneadm.find("nobody") is None
    with pytest.raises(InvalidMessage):
        await zoneadm.find("-u")


async def test_failure(tmp_path: Path):
    """A failing listing is an error with the tool's words."""
    shell_tool(tmp_path, "zoneadm", "echo 'zoneadm: cannot read the index' >&2; exit 1")

    with pytest.raises(ToolFailed, match="cannot list the zones: zoneadm: cannot read the index"):
        await Zoneadm(Runner(tmp_path)).list()


@pytest.mark.parametrize(
    "words",
    ["", "7:x:running:/zones/x::lx:excl:29\n", "0:global:running:/::x:shared:0\n7:x:running:/zones/x::lx:excl:2"],
)
async def test_listing_that_is_not_whole(tmp_path: Path, words: str):
    """A listing that is cut off or lacks the global zone is an error: no zone is taken for gone."""
    shell_tool(tmp_path, "zoneadm", f"printf '{words}'")

    with pytest.raises(UnreadableOutput):
        await Zoneadm(Runner(tmp_path)).list()


@pytest.mark.parametrize("words", ["", "odd\n", "7:x:running"])
async def test_zone_that_cannot_be_read(tmp_path: Path, words: str):
    """A zone whose line cannot be read is an error: it is not taken for gone."""
    shell_tool(tmp_path, "zoneadm", f"printf '{words}'")

    with pytest.raises(UnreadableOutput):
        await Zoneadm(Runner(tmp_path)).find("x")
