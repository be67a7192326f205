"""Zone state changes per second, from the platform's event source to nsqd, and how late each arrives.

The simulated host changes the states of its zones at a given rate, without any command. Every change stands in the
host's own journal with its moment; every event at nsqd has the moment at which nsqd took it. What should have been
told is worked out from the journal and compared, zone by zone, with what was: nothing lost, nothing twice, order kept.

Two loads: as fast as it goes (all changes offered within a second), and a steady rate for the latency. Beside each,
without an agent, a bare program that only reads the lines of the same event source: what the source itself can do.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from nsq_servers import Nsqd
from worlds import Host

from benchmarks import machine, stand
from benchmarks.report import Report, progress, scratch, show, spread
from chunter_nsq import zonestate
from chunter_nsq.smartos import simulator
from chunter_nsq.smartos.simulator.changes import PLACE

TOPIC = "chunter.zone"
QUIET_SECONDS = 1.5
TIMEOUT_SECONDS = 120.0

Change = tuple[float, str, str]  # moment (epoch seconds), zone, raw state


@dataclass
class Storm:
    """One load: what was changed, and what came of it."""

    changes: list[Change]
    told: dict[str, list[tuple[float, str]]] = field(default_factory=lambda: defaultdict(list))

    def expected(self) -> dict[str, list[tuple[float, str]]]:
        """What is to be told of each zone: moment and public state, where that differs from the one before."""
        wanted: dict[str, list[tuple[float, str]]] = defaultdict(list)
        said: dict[str, str] = defaultdict(lambda: "running")
        for moment, zone, raw in self.changes:
            state = zonestate.public(raw)
            if state != said[zone]:
                said[zone] = state
                wanted[zone].append((moment, state))
        return wanted

    def verdict(self) -> dict[str, Any]:
        """What was lost, twice or out of order, and the delays of what was right, in milliseconds."""
        wanted, late, right = self.expected(), [], 0
        for zone, states in wanted.items():
            delays = matched(states, self.told.get(zone, []))
            late += delays
            right += [state for _, state in states] == [state for _, state in self.told.get(zone, [])]
        due, came = sum(map(len, wanted.values())), sum(map(len, self.told.values()))
        seconds = max(at for heard in self.told.values() for at, _ in heard) - self.changes[0][0]
        return {
            "changes_per_second": len(self.changes) / seconds, "events_per_second": came / seconds,
            "events_due": due, "lost": due - len(late), "not_due": came - len(late),
            "zones_told_otherwise": len(wanted) - right, "late_ms": spread(late),
        }  # fmt: skip


def matched(states: list[tuple[float, str]], heard: list[tuple[float, str]]) -> list[float]:
    """The delays, in milliseconds, of those states that were told, in their order."""
    delays, rest = [], iter(heard)
    for moment, state in states:
        at = next((at for at, told in rest if told == state), None)
        if at is None:
            break
        delays.append((at - moment) * 1000)
    return delays


def changes_since(platform: Path, offset: int) -> list[Change]:
    """The journal's state changes behind a place in it."""
    with (platform / PLACE).open() as journal:
        journal.seek(offset)
        rows = [line.split("\t") for line in journal.read().splitlines()]
    return [(float(row[0]), row[2], row[3]) for row in rows if row[1] == "S"]


def told_by_agent(host: Host, changes: int, seconds: float) -> tuple[Storm, float]:
    """A storm through the agent, and the CPU that the agent spent on it."""
    channel = f"check{time.monotonic_ns()}"
    journal = host.platform / PLACE
    with stand.Gauge(host.nsqd) as gauge:
        settled(gauge)
        gauge.make(TOPIC, channel)
        offset, cpu, before = journal.stat().st_size, machine.cpu_seconds(host.pid), gauge.published(TOPIC)
        simulator.storm(host.platform, changes, seconds=seconds)
        settled(gauge)
        used, count = machine.cpu_seconds(host.pid) - cpu, gauge.published(TOPIC) - before
    storm = Storm(changes_since(host.platform, offset))
    for delivery in stand.drain(host.nsqd, TOPIC, channel, count):
        event = stand.event_of(delivery)
        if event["type"] == "chunter.zone.state":
            storm.told[event["subject"]].append((delivery.timestamp_ns / 1e9, event["data"]["data"]))
    return storm, used


def settled(gauge: stand.Gauge) -> None:
    """Wait until nothing has been published for a while."""
    seen, since = -1, time.monotonic()
    deadline = since + TIMEOUT_SECONDS
    while time.monotonic() - since < QUIET_SECONDS and time.monotonic() < deadline:
        now = gauge.published(TOPIC)
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.05)


@contextmanager
def source_alone(platform: Path) -> Iterator[list[tuple[float, bytes]]]:
    """The lines of the event source with the moments at which a bare program had read them."""
    child = subprocess.Popen([platform / "usr/sbin/vmadm", "events", "-jr"], stdout=subprocess.PIPE)
    lines: list[tuple[float, bytes]] = []

    def read() -> None:
        assert child.stdout is not None, "it has a pipe"  # noqa: S101 - for the type checker
        lines.extend((time.time(), line) for line in child.stdout)

    reader = threading.Thread(target=read)
    try:
        reader.start()
        while not lines:
            time.sleep(0.05)
        yield lines
    finally:
        child.terminate()
        child.wait()
        reader.join()


def told_by_source(platform: Path, changes: int, seconds: float) -> dict[str, Any]:
    """The same storm without an agent: what a bare reader of the source sees."""
    with source_alone(platform) as lines:
        offset, first = (platform / PLACE).stat().st_size, len(lines)
        simulator.storm(platform, changes, seconds=seconds)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(lines) < first + changes and time.monotonic() < deadline:
            time.sleep(0.05)
    made, heard = changes_since(platform, offset), lines[first:]
    late = [(at - moment) * 1000 for (at, _), (moment, _, _) in zip(heard, made, strict=False)]
    rate = len(made) / (heard[-1][0] - made[0][0])
    return {"changes_per_second": rate, "lines": len(heard), "late_ms": spread(late)}


def both(host: Host, name: str, changes: int, seconds: float) -> dict[str, Any]:
    """The load through the agent and, without it, through the source alone."""
    progress(f"{name}: {changes} changes offered in {seconds} s")
    with stand.running(host):
        storm, cpu = told_by_agent(host, changes, seconds)
    figures = {**storm.verdict(), "agent_cpu_us_per_change": cpu / changes * 1e6}
    return {"agent": figures, "source_alone": told_by_source(host.platform, changes, seconds)}


def measure(zones: int, burst: int, per_second: int, seconds: float) -> Report:
    """All of it."""
    report = Report(
        "events", {"zones": zones, "burst": burst, "steady_per_second": per_second, "steady_seconds": seconds}
    )
    with scratch() as folder, stand.new_nsqd(folder / "nsqd") as nsqd:
        host = new_host(folder, nsqd, zones)
        report.figures["burst"] = both(host, "burst", burst, 1.0)
        report.figures["steady"] = both(host, "steady", int(per_second * seconds), seconds)
    loads = [report.figures[load]["agent"] for load in ("burst", "steady")]
    report.goal("changes_per_second", loads[0]["changes_per_second"], ">=", 5000)
    report.goal("lost", sum(one["lost"] for one in loads), "==", 0)
    report.goal("zones_told_otherwise", sum(one["zones_told_otherwise"] for one in loads), "==", 0)
    report.goal("late_p99_ms", loads[1]["late_ms"]["p99"], "<", 50)
    return report


def new_host(folder: Path, nsqd: Nsqd, zones: int) -> Host:
    """A host that keeps all of its events."""
    return Host(folder / "host", nsqd, zones=zones, settings={"log.level": "warning", "outbox_limit": "1GB"})


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--zones", default=1000, show_default=True)
@click.option("--burst", default=20_000, show_default=True, help="Changes offered within a second.")
@click.option("--per-second", default=5000, show_default=True, help="The steady rate.")
@click.option("--seconds", default=4.0, show_default=True, help="How long the steady rate lasts.")
def main(*, as_json: bool, zones: int, burst: int, per_second: int, seconds: float) -> None:
    """Measure and tell."""
    show(measure(zones, burst, per_second, seconds), as_json=as_json)


if __name__ == "__main__":
    main()
