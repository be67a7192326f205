from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import HOST, Desk, desk_in

from chunter_nsq.errors import ToolFailed
from publishers.arc import Arc, figures, hit_rate

KSTAT = "usr/bin/kstat"
COUNTS = st.integers(0, 2**63)


def prints(desk: Desk, hits: object, misses: object, **more: object) -> None:
    """Have kstat tell of an ARC of 3 MiB."""
    values = {"hits": hits, "misses": misses, "size": 3 * 2**20, "class": "misc", "crtime": "12.5"} | more
    desk.prints(KSTAT, "".join(f"zfs:0:arcstats:{name}\t{value}\n" for name, value in sorted(values.items())))


def test_figures_are_the_platforms() -> None:
    """Counters as they are, sizes in MB, and no l2 is none."""
    values = {b"hits": b"10", b"misses": b"5", b"size": b"1572864", b"class": b"misc"}
    assert {"l1hits": 10, "l1miss": 5, "l1size": 2, "l2hits": 0, "l2miss": 0, "l2size": 0} == figures(values)


@pytest.mark.parametrize(
    ("expected", "before", "now"),
    [
        (None, None, (10, 5)),
        (75.0, (10, 5), (13, 6)),
        (100.0, (10, 5), (13, 5)),
        (0.0, (10, 5), (10, 6)),
        (None, (10, 5), (10, 5)),
        (None, (10, 5), (3, 6)),
        (None, (10, 5), (20, 4)),
    ],
)
def test_the_rate_is_that_of_the_interval(expected: float | None, before: tuple | None, now: tuple) -> None:
    """In percent; null when nothing was read or the counters began anew."""
    earlier = {"l1hits": before[0], "l1miss": before[1]} if before else None
    assert expected == hit_rate(earlier, {"l1hits": now[0], "l1miss": now[1]})


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_a_rate_is_a_percentage(hits: int, misses: int, more_hits: int, more_misses: int) -> None:
    """Whatever the counters do, the rate is null or from 0 to 100."""
    rate = hit_rate({"l1hits": hits, "l1miss": misses}, {"l1hits": more_hits, "l1miss": more_misses})
    assert rate is None or 0 <= rate <= 100


async def test_the_arc_is_told_when_it_changed(tmp_path: Path) -> None:
    """One named statistic is asked for; a tick without change says nothing, until the 120th."""
    async with desk_in(tmp_path) as desk:
        arc = Arc(desk.tools)
        prints(desk, 100, 100)
        (event,) = await desk.listen(arc)
        assert ("arc", "chunter.arc.stats", HOST) == (event.topic, event.type, event.subject)
        assert event.data["data"]["hit_rate"] is None
        assert [] == await desk.listen(arc)
        prints(desk, 190, 110, l2_hits=7, l2_misses=8, l2_size=2**20)
        (event,) = await desk.listen(arc)
        expected = {"l1hits": 190, "l1miss": 110, "l1size": 3, "l2hits": 7, "l2miss": 8, "l2size": 1, "hit_rate": 90.0}
        assert {"event": "arc", "data": expected} == event.data
        assert {"-p zfs:0:arcstats"} == set(desk.typed(KSTAT))
        assert [120] == [tick for tick in range(1, 121) if await desk.listen(arc)]


@pytest.mark.parametrize(("hits", "misses"), [("many", 1), (1, "-")])
async def test_what_is_no_number_is_a_fault(tmp_path: Path, hits: object, misses: object) -> None:
    """With the command line in its details."""
    async with desk_in(tmp_path) as desk:
        prints(desk, hits, misses)
        with pytest.raises(ToolFailed, match="makes no sense") as fault:
            await desk.listen(Arc(desk.tools))
        assert [KSTAT, "-p", "zfs:0:arcstats"] == fault.value.details["argv"]


async def test_an_arc_without_hits_is_a_fault(tmp_path: Path) -> None:
    """Missing counters are not taken for none."""
    async with desk_in(tmp_path) as desk:
        desk.prints(KSTAT, "zfs:0:arcstats:size\t1\n")
        with pytest.raises(ToolFailed, match="hits"):
            await desk.listen(Arc(desk.tools))
