from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import HOST, desk_in
from test_zpool import REPORT

from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.zpool import Pool
from publishers.poolview import PoolView, figures, threshold
from publishers.zpools import Zpools

ZPOOL = "usr/sbin/zpool"


def pool(capacity: int | None = 34, health: str = "ONLINE", name: str = "zones") -> Pool:
    """A pool of 10 GiB."""
    return Pool(name, 10 * 2**30, 4 * 2**30, 6 * 2**30 + 2**19 + 1, capacity, 100, health)


def warnings(told: list) -> list[tuple[str, str, str]]:
    """Pool, what and state of each warning."""
    events = [one.data["data"] for one in told if isinstance(one, Event) and one.type == "chunter.host.warning"]
    return [(data["pool"], data["what"], data["state"]) for data in events]


def statuses(told: list) -> list[dict]:
    """The figures told."""
    return [one.data["data"] for one in told if isinstance(one, Event) and one.type == "chunter.zpool.status"]


def test_figures_are_whole_megabytes() -> None:
    """Space is in MB, deduplication in percent, and what nobody knows is null."""
    assert {"size": 10240, "used": 4096, "free": 6145, "dedup": 100, "health": "ONLINE"} == figures(pool(), None)
    assert {"size": None, "used": None, "free": None, "dedup": None, "health": "FAULTED"} == figures(
        Pool("zones", None, None, None, None, None, "FAULTED"), None
    )


def test_unchanged_pools_are_told_every_120th_tick() -> None:
    """Silence is bounded."""
    view = PoolView(HOST, {})
    told = [len(statuses(view.told([pool()], {}))) for _ in range(241)]
    assert [0, 120, 240] == [tick for tick, count in enumerate(told) if count]


@pytest.mark.parametrize(
    ("expected", "capacity", "before"),
    [
        (0, 79, 0),
        (80, 80, 0),
        (95, 99, 0),
        (80, 79, 80),
        (0, 78, 80),
        (90, 89, 90),
        (80, 88, 90),
        (95, 94, 95),
        (90, 92, 95),
        (0, 10, 95),
        (95, None, 95),
    ],
)
def test_thresholds_do_not_flap(expected: int, capacity: int | None, before: int) -> None:
    """A threshold is passed at its value and taken back two percent below it."""
    assert expected == threshold(capacity, before)


@given(st.lists(st.integers(0, 100), min_size=1))
def test_the_threshold_is_never_below_what_is_passed(course: list[int]) -> None:
    """Whatever the course, a pool above a threshold is known to be, and one well below all is not."""
    level = 0
    for capacity in course:
        level = threshold(capacity, level)
        assert level >= max((one for one in (80, 90, 95) if capacity >= one), default=0)
        assert level == 0 or capacity > level - 2


def test_a_pool_that_fills_up_is_warned_of_once() -> None:
    """Each threshold once on the way up, and once when it is well again."""
    view = PoolView(HOST, {})
    course = [warnings(view.told([pool(capacity)], {})) for capacity in (79, 80, 81, 79, 96, 96, 50)]
    expected = [[], ["capacity_80"], [], [], ["capacity_95"], [], ["recovered"]]
    assert expected == [[state for _, _, state in one] for one in course]


def test_an_ill_pool_is_warned_of_and_its_recovery_told() -> None:
    """Health is watched apart from space."""
    view = PoolView(HOST, {})
    assert [("zones", "health", "degraded")] == warnings(view.told([pool(health="DEGRADED")], {}))
    assert [] == warnings(view.told([pool(health="DEGRADED")], {}))
    assert [("zones", "health", "recovered")] == warnings(view.told([pool()], {}))


def test_a_pool_that_vanished_is_told_once() -> None:
    """It stands as gone in the figures one last time, with a warning; its return is a recovery."""
    view = PoolView(HOST, {})
    view.told([pool(), pool(name="data")], {})
    told = view.told([pool()], {})
    assert [("data", "health", "gone")] == warnings(told)
    assert ["gone"] == [one["data"]["health"] for one in statuses(told)]
    assert [] == view.told([pool()], {})
    assert [("data", "health", "recovered")] == warnings(view.told([pool(), pool(name="data")], {}))


async def test_a_healthy_host_starts_one_process_a_tick(tmp_path: Path) -> None:
    """The figures are told under the host's id; nothing more is asked."""
    async with desk_in(tmp_path) as desk:
        desk.prints(ZPOOL, "zones\t10737418240\t4294967296\t6442450944\t40\t1.00\tONLINE\n")
        zpools = Zpools(desk.tools)
        told = await desk.listen(zpools)
        (event,) = (one for one in told if isinstance(one, Event))
        assert ("zpool", "chunter.zpool.status", HOST) == (event.topic, event.type, event.subject)
        expected = {"size": 10240, "used": 4096, "free": 6144, "dedup": 100, "health": "ONLINE"}
        assert {"event": "zpool", "data": {"zones": expected}} == event.data
        assert [] == await desk.listen(zpools)
        assert ["list", "list"] == [line.split()[0] for line in desk.typed(ZPOOL)]


async def test_a_degraded_pool_has_its_report_with_it(tmp_path: Path) -> None:
    """Devices with their counters and the platform's own words are in the event."""
    async with desk_in(tmp_path) as desk:
        desk.prints(ZPOOL, REPORT)
        path = desk.root / ZPOOL
        listing = "printf 'zones\\t1\\t0\\t1\\t0\\t1.00\\tDEGRADED\\n'"
        path.write_text(
            f"#!/bin/sh\ncase $1 in list) {listing};; status) /bin/cat {path}.text;; esac\n", encoding="utf-8"
        )
        (status,) = statuses(await desk.listen(Zpools(desk.tools)))
        errors = status["zones"]["errors"]
        assert errors["action"].startswith("Determine if")
        expected = {"name": "c1t1d0", "depth": 2, "state": "FAULTED", "read": 3, "write": 1229, "cksum": 0}
        assert expected | {"note": "too many errors"} == errors["devices"][3]


async def test_a_faulted_pool_without_a_report_is_told_all_the_same(tmp_path: Path) -> None:
    """When the report cannot be had, the reason stands in its place."""
    async with desk_in(tmp_path) as desk:
        desk.prints(ZPOOL, "data\t-\t-\t-\t-\t-\tFAULTED\n")
        told = await desk.listen(Zpools(desk.tools))
        assert [("data", "health", "faulted")] == warnings(told)
        (status,) = statuses(told)
        assert status["data"]["errors"]["status"].startswith("There is no report: ")


async def test_warnings_are_not_repeated_by_a_restart(tmp_path: Path) -> None:
    """What was said is remembered; what happened meanwhile is told."""
    full = "zones\t100\t85\t15\t85\t1.00\tONLINE\n"
    for expected, text in (("capacity_80", full), (None, full), ("recovered", full.replace("85\t1", "50\t1"))):
        async with desk_in(tmp_path) as desk:
            desk.prints(ZPOOL, text)
            told = warnings(await desk.listen(Zpools(desk.tools)))
            assert ([expected] if expected else []) == [state for _, _, state in told]
