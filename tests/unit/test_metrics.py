from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from publisher_parts import HOST, desk_in

from chunter_nsq.errors import ToolFailed
from chunter_nsq.messages.events import Event
from chunter_nsq.smartos.kstat import Head, Kstat, parse_table
from publishers.meters import Meters, specs
from publishers.metrics import Metrics

KSTAT = "usr/bin/kstat"
ZONEADM = "usr/sbin/zoneadm"
ZONE = "dc5cbce7-798a-4bc9-bdc5-61b4be00a22e"
ZONES = {0: "global", 21: ZONE}
VFS = "nread reads nwritten writes delay_cnt 10ms_ops 100ms_ops 1s_ops 10s_ops rtime rlentime wtime wlentime delay_time"


def printed(zoneid: int = 21, factor: int = 1, zone: str = ZONE) -> str:
    """What kstat prints of the host and of one zone."""
    groups = {
        f"caps:{zoneid}:cpucaps_zone_{zoneid}": {"usage": 37, "value": 100, "zonename": zone},
        "cpu:1:sys": {"cpu_nsec_idle": factor * 10**9, "cpu_nsec_user": 5},
        "cpu:0:sys": {"class": "misc", "cpu_nsec_idle": 7, "cpu_nsec_user": 5},
        f"link:0:z{zoneid}_my_net0": {"ierrors": 0, "obytes64": factor * 1000, "zonename": zone},
        "memory_cap:0:global": {"rss": 1, "zonename": "global"},
        f"memory_cap:{zoneid}:{zone[:30]}": {"physcap": 2**64 - 1, "rss": 141262848, "crtime": "5.123"},
        "zone_vfs:0:global": {"nread": 1, "zonename": "global"},
        f"zone_vfs:{zoneid}:{zone[:30]}": dict.fromkeys(VFS.split(), factor * 20),
        "zones:0:global": {"nsec_user": 5512345678901, "zonename": "global"},
        f"zones:{zoneid}:{zone[:30]}": {"avenrun_1min": 13, "nsec_user": factor * 10**9, "zonename": zone},
    }
    rows = (f"{head}:{name}\t{value}\n" for head, group in groups.items() for name, value in group.items())
    return "".join(rows)


def told(meters: Meters, text: str, at: float) -> dict[tuple[str, str], Event]:
    """The events of a reading by subject and kind."""
    table = parse_table(text.encode())
    events = meters.read(table.kstats(), table.zones(), at)
    return {(event.subject, event.data["event"]): event for event in events if event is not None}


def test_named_statistics_only_are_asked_for() -> None:
    """No specification leaves the name open, which would have the platform read every statistic it has."""
    asked = specs(("web1",))
    assert ("caps", "cpu", "link", "memory_cap", "zone_vfs", "zones") == tuple(one.split(":")[0] for one in asked)
    assert all(one.count(":") == 3 and one.split(":")[2] for one in asked)
    assert "link::z[0-9]*_*:/^(obytes64|rbytes64|opackets64|ipackets64|ierrors|oerrors|zonename)$/" == asked[2]
    assert asked[5].startswith("zones::/^([0-9a-f]{8}-[0-9a-f]{4}-|(global|web1)$)/:/^(avenrun_1min|nsec_user|")


def test_each_zone_is_told_by_kind() -> None:
    """One event for each zone and kind, and one for the host's processors; the global zone has its cpu only."""
    events = told(Meters(HOST, lambda zone: HOST if zone == "global" else zone), printed(), 0.0)
    kinds = [("cpu", ZONE), ("memstat", ZONE), ("net", ZONE), ("vfs", ZONE), ("cpu", HOST), ("mpstat", HOST)]
    assert {(f"{subject}-metrics", kind) for kind, subject in kinds} == set(events)
    assert all(("metric", f"chunter.metric.{kind}") == (e.topic, e.type) for (_, kind), e in events.items())


def test_raw_values_are_the_platforms() -> None:
    """Counters and gauges as they are, null for no limit, and no rates before there are two samples."""
    events = told(Meters(HOST, str), printed(), 0.0)
    subject = f"{ZONE}-metrics"
    cpu = {"usage": 37, "value": 100, "avenrun_1min": 13, "nsec_user": 10**9}
    assert {"event": "cpu", "data": cpu} == events[subject, "cpu"].data
    assert {"physcap": None, "rss": 141262848} == events[subject, "memstat"].data["data"]
    assert {"ifname": "my_net0", "ierrors": 0, "obytes64": 1000} == events[subject, "net"].data["data"]
    assert dict.fromkeys(VFS.split(), 20) == events[subject, "vfs"].data["data"]
    processors = [{"cpu": 0, "idle": 7, "user": 5}, {"cpu": 1, "idle": 10**9, "user": 5}]
    assert processors == events[f"{HOST}-metrics", "mpstat"].data["data"]["cpus"]


def test_rates_are_per_second() -> None:
    """Bytes and operations per second; processor time in percent of one processor."""
    meters = Meters(HOST, str)
    told(meters, printed(factor=1), 100.0)
    events = told(meters, printed(factor=5), 110.0)
    subject = f"{ZONE}-metrics"
    assert {"nsec_user": 40.0} == events[subject, "cpu"].data["data"]["rates"]
    assert {"obytes64": 400.0, "ierrors": 0.0} == events[subject, "net"].data["data"]["rates"]
    rates = {"nread": 8.0, "reads": 8.0, "nwritten": 8.0, "writes": 8.0, "delay_cnt": 8.0}
    assert rates == events[subject, "vfs"].data["data"]["rates"]
    assert {"idle": 40.0, "user": 0.0} == events[f"{HOST}-metrics", "mpstat"].data["data"]["cpus"][1]["rates"]


def test_what_stays_the_same_is_told_now_and_then() -> None:
    """A machine that does nothing is told within every sixth reading."""
    meters = Meters(HOST, str)
    counts = [(f"{ZONE}-metrics", "vfs") in told(meters, printed(), 10.0 * tick) for tick in range(13)]
    assert counts[0]
    assert 2 == sum(counts[1:])


def test_a_zone_that_was_booted_again_has_no_rates() -> None:
    """Its counters began anew under a new zone id."""
    meters = Meters(HOST, str)
    told(meters, printed(factor=5), 0.0)
    events = told(meters, printed(zoneid=22, factor=9), 10.0)
    assert "rates" not in events[f"{ZONE}-metrics", "vfs"].data["data"]


def test_no_rates_between_samples_of_another_form() -> None:
    """Where a platform prints other statistics than before, places are not compared."""
    meters = Meters(HOST, str)
    text = printed()
    told(meters, text.replace(":reads\t20\n", ":elsewhere\t20\n"), 0.0)
    vfs = told(meters, text, 10.0)[f"{ZONE}-metrics", "vfs"].data["data"]
    assert ("reads" in vfs, "rates" in vfs) == (True, False)


def test_names_of_links_are_told_as_they_are() -> None:
    """Whatever stands in them; the text that is told is JSON on one line in ASCII."""
    name = 'z21_a"b\\%s\u00fc'
    table = parse_table(f"link:0:{name}:obytes64\t7\nlink:0:{name}:zonename\t{ZONE}\n".encode())
    (event,) = (event for event in Meters(HOST, str).read(table.kstats(), table.zones(), 0.0) if event is not None)
    assert {"ifname": name[4:], "obytes64": 7} == event.data["data"]
    assert event.data.text.isascii()


def test_names_of_statistics_are_told_as_they_are() -> None:
    """Of processors, whose statistics nobody lists beforehand."""
    table = parse_table(b'cpu:0:sys:cpu_nsec_a"b\\%s\t7\n')
    (event,) = Meters(HOST, str).read(table.kstats(), table.zones(), 0.0)
    assert [{"cpu": 0, 'a"b\\%s': 7}] == event.data["data"]["cpus"]


def test_a_zone_that_vanished_is_forgotten() -> None:
    """When it is back, it is compared with nothing."""
    meters = Meters(HOST, str)
    told(meters, printed(), 0.0)
    told(meters, "zones:0:global:zonename\tglobal\n", 10.0)
    assert "rates" not in told(meters, printed(factor=2), 20.0)[f"{ZONE}-metrics", "vfs"].data["data"]


@given(st.lists(st.tuples(st.integers(0, 2**64 - 2), st.floats(0.001, 1e4)), min_size=2, max_size=8))
def test_no_rate_is_ever_negative(course: list[tuple[int, float]]) -> None:
    """Whatever a counter does."""
    meters = Meters(HOST, str)
    at = 0.0
    for value, seconds in course:
        at += seconds
        kstat = Kstat(Head((b"zone_vfs", 21, b"dc5cbce7"), (b"nread",)), [str(value).encode()])
        for event in meters.read([kstat], ZONES, at):
            assert event is None or event.data["data"].get("rates", {}).get("nread", 0) >= 0


async def test_one_process_a_tick(tmp_path: Path) -> None:
    """All zones are read by one kstat; the names of zones made by hand are asked for once a minute."""
    async with desk_in(tmp_path) as desk:
        desk.prints(KSTAT, printed(zone="web1"))
        desk.zones(f"21:web1:running:/zones/web1:{ZONE}:joyent:excl:9\n")
        metrics = Metrics(desk.tools)
        events = await desk.listen(metrics)
        assert {f"{ZONE}-metrics", f"{HOST}-metrics"} == {event.subject for event in events}
        await desk.listen(metrics)
        assert [" ".join(("-p", *specs(("web1",))))] * 2 == desk.typed(KSTAT)
        assert 1 == len(desk.typed(ZONEADM))


async def test_metrics_can_be_switched_off(tmp_path: Path) -> None:
    """Then no process is started at all."""
    async with desk_in(tmp_path) as desk:
        desk.config = replace(desk.config, metrics=False)
        assert [] == await desk.listen(Metrics(desk.tools))


@pytest.mark.parametrize("line", ["garbage\n", "zone_vfs:21:dc5c:nread\tmany\n", "cpu:0:sys:cpu_nsec_idle\t-\n"])
async def test_garbage_is_a_fault(tmp_path: Path, line: str) -> None:
    """And the next reading is compared with the last good one."""
    async with desk_in(tmp_path) as desk:
        desk.prints(KSTAT, printed())
        desk.zones()
        metrics = Metrics(desk.tools)
        await desk.listen(metrics)
        desk.prints(KSTAT, printed() + line)
        with pytest.raises(ToolFailed, match="makes no sense"):
            await desk.listen(metrics)
        desk.prints(KSTAT, printed(factor=2))
        (vfs,) = [event for event in await desk.listen(metrics) if event.data["event"] == "vfs"]
        assert vfs.data["data"]["rates"]["nread"] > 0


def cost(count: int) -> float:
    """Processor seconds of a reading in which everything of so many zones changed."""
    zones = [f"{number:08x}-798a-4bc9-bdc5-61b4be00a22e" for number in range(count)]
    meters = Meters(HOST, str)
    texts = ["".join(printed(i, factor, zone) for i, zone in enumerate(zones, 1)) for factor in (1, 2)]
    told(meters, texts[0], 0.0)
    began = time.process_time()
    assert 3 * count < len(told(meters, texts[1], 10.0))
    return time.process_time() - began


def test_a_busy_zone_costs_the_same_among_many() -> None:
    """A thousand of them take ten times of what a hundred take, on a busy machine too, and not a hundred."""
    few, many = (min(cost(count) for _ in range(3)) for count in (100, 1000))
    assert many < 30 * few
