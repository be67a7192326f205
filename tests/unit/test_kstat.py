from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import desk_in

from chunter_nsq.errors import ToolFailed
from chunter_nsq.smartos.kstat import Head, Kstat, Kstats, any_of, any_zone, parse_table, read_argv

ZONE = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
PRINTED = f"""\
caps:21:cpucaps_zone_21:usage\t37
link:0:z21_net0:rbytes64\t9120332231
link:0:z21_net0:zonename\t{ZONE}
zones:0:global:nsec_user\t5512345678901
zones:0:global:zonename\tglobal
zones:21:{ZONE[:30]}:avenrun_1min\t13
zones:21:{ZONE[:30]}:zonename\t{ZONE}
""".encode()


def test_several_kinds_are_read_by_one_process() -> None:
    """The specifications stand one after the other."""
    assert ("usr/bin/kstat", "-p", "caps:::", "cpu::sys") == read_argv(("caps:::", "cpu::sys"))


def test_lines_of_one_statistic_are_gathered() -> None:
    """Module, instance and name head what belongs together."""
    zone = ZONE.encode()
    assert [
        Kstat(Head((b"caps", 21, b"cpucaps_zone_21"), (b"usage",)), [b"37"]),
        Kstat(Head((b"link", 0, b"z21_net0"), (b"rbytes64", b"zonename")), [b"9120332231", zone]),
        Kstat(Head((b"zones", 0, b"global"), (b"nsec_user", b"zonename")), [b"5512345678901", b"global"]),
        Kstat(Head((b"zones", 21, zone[:30]), (b"avenrun_1min", b"zonename")), [b"13", zone]),
    ] == list(parse_table(PRINTED).kstats())


def test_a_layout_is_used_again() -> None:
    """As long as the same statistics are printed, what they are is not looked into; else it is."""
    first = parse_table(PRINTED)
    later = PRINTED.replace(b"9120332231", b"9120339999")
    second = parse_table(later, first.layout)
    assert first.layout is second.layout
    assert list(parse_table(later).kstats()) == list(second.kstats())
    shorter = later.partition(b"\n")[2]
    assert list(parse_table(shorter).kstats()) == list(parse_table(shorter, first.layout).kstats())


def test_zones_have_their_whole_names() -> None:
    """By zone id, since names are cut; another module's zonename says nothing of ids."""
    assert {0: "global", 21: ZONE} == parse_table(PRINTED).zones()


def test_patterns_name_statistics_and_zones() -> None:
    """No character of a zone's name has a meaning of its own, and long names are cut as the platform cuts them."""
    assert "/^(rss|swap)$/" == any_of(("rss", "swap"))
    name = "a.b-" + "c" * 40
    assert f"/^([0-9a-f]{{8}}-[0-9a-f]{{4}}-|(global|a.b-{'c' * 26})$)/" == any_zone((name,))


@pytest.mark.parametrize("line", ["garbage\n", "a:1:b:c\n", "a:x:b:c\t1\n", "a:1:c\t1\n", "\n"])
def test_a_line_that_is_none_is_refused(line: str) -> None:
    """Garbage among statistics is not passed over."""
    with pytest.raises(ValueError, match=r".+"):
        parse_table(PRINTED + line.encode())


@given(st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(garbage: bytes) -> None:
    """There is no third way, whether a layout is known or not."""
    known = parse_table(PRINTED).layout
    try:
        found = parse_table(garbage + b"\n")
    except ValueError:
        with pytest.raises(ValueError, match=r".+"):
            parse_table(garbage + b"\n", known)
        return
    assert garbage.count(b"\n") + 1 == len(found.values)
    assert found == parse_table(garbage + b"\n", known)


@pytest.mark.parametrize(("text", "status"), [(PRINTED.decode()[:-1], 0), ("", 0), ("", 1)])
async def test_what_is_not_whole_is_a_fault(tmp_path: Path, text: str, status: int) -> None:
    """A cut line, nothing at all, and a failure."""
    async with desk_in(tmp_path) as desk:
        desk.prints("usr/bin/kstat", text, status)
        with pytest.raises(ToolFailed):
            await Kstats(desk.tools.runner).read(("caps:::",))
