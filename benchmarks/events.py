"""Zone state changes per second, from the platform's event source to nsqd, and how late each arrives.

Every change stands in a journal with its moment; every event at nsqd has the moment at which nsqd took it. What should
have been told is worked out from the journal and compared, zone by zone, with what was: nothing lost, nothing told that
was not so, order kept.

Two sources. `recorded` writes prepared lines and leaves the machine to the agent: once all changes at once, for the
rate, once at a steady rate, for the delay, and once a storm of one second, for what is left of it when it is over.
`simulated` is the whole simulated host, whose lists and events must agree while its zones change; beside it, without an
agent, a bare program that only reads the lines of the same source: what the source itself can do, and the delay that is
its own.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from nsq_servers import Nsqd
from worlds import Host

from benchmarks import machine, recorded, stand
from benchmarks.report import Report, progress, scratch, show, spread
from benchmarks.storm import Change, Storm, changes_in
from chunter_nsq.smartos import simulator
from chunter_nsq.smartos.simulator.changes import PLACE
from chunter_nsq.smartos.simulator.storms import ROUND

TOPIC = "chunter.zone"
QUIET_SECONDS = 1.5
TIMEOUT_SECONDS = 120.0
DRAIN_SECONDS = 5.0

Load = Callable[[], list[Change]]


def through_agent(host: Host, load: Load) -> dict[str, Any]:
    """The verdict on a load, and the CPU that the agent spent on it."""
    channel = f"check{time.monotonic_ns()}"
    with stand.Gauge(host.nsqd) as gauge:
        settled(gauge)
        gauge.make(TOPIC, channel)
        cpu, before = machine.cpu_seconds(host.pid), gauge.published(TOPIC)
        storm = Storm(load())
        settled(gauge)
        used, count = machine.cpu_seconds(host.pid) - cpu, gauge.published(TOPIC) - before
    storm.hear(stand.drain(host.nsqd, TOPIC, channel, count), stand.event_of)
    return {**storm.verdict(), "agent_cpu_us_per_change": used / len(storm.changes) * 1e6}


def left_in_outbox(host: Host) -> int:
    """How many events the agent did not get rid of; others than the load's come all the time, and go at once."""
    deadline = time.monotonic() + DRAIN_SECONDS
    while True:
        _, body = asyncio.run(host.get("/api/status"))
        left = int(json.loads(body)["outbox"]["waiting"])
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.1)


def settled(gauge: stand.Gauge) -> None:
    """Wait until nothing has been published for a while."""
    seen, since = -1, time.monotonic()
    deadline = since + TIMEOUT_SECONDS
    while time.monotonic() - since < QUIET_SECONDS and time.monotonic() < deadline:
        now = gauge.published(TOPIC)
        if now != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.05)


def followed(host: Host, load: Load) -> None:
    """Wait until the agent follows the stream: a round of all states within an instant can be seen in no other way."""
    with stand.Gauge(host.nsqd) as gauge:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            settled(gauge)
            before = gauge.published(TOPIC)
            load()
            settled(gauge)
            if gauge.published(TOPIC) - before == len(ROUND) - 1:  # shutting_down and down are one to the public
                return
    raise TimeoutError("the agent does not follow the event stream")


def from_recorded(host: Host, changes: int, seconds: float) -> Load:
    """A load of prepared lines."""

    def load() -> list[Change]:
        recorded.go(host.platform, changes, seconds)
        return changes_in(host.platform / recorded.JOURNAL)

    return load


def from_simulated(host: Host, changes: int, seconds: float, zones: list[str] | None = None) -> Load:
    """A load of the simulator's own."""

    def load() -> list[Change]:
        journal = host.platform / PLACE
        offset = journal.stat().st_size if journal.exists() else 0
        simulator.storm(host.platform, changes, seconds=seconds, zones=zones)
        return changes_in(journal, offset)

    return load


@contextmanager
def source_alone(platform: Path) -> Iterator[list[tuple[float, bytes]]]:
    """The lines of the event source with the moments at which a bare program had read them."""
    child = subprocess.Popen([platform / "usr/sbin/vmadm", "events", "-jr"], stdout=subprocess.PIPE)
    lines: list[tuple[float, bytes]] = []

    def read() -> None:
        lines.extend((time.time(), line) for line in child.stdout or ())

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


def without_agent(host: Host, load: Load) -> dict[str, Any]:
    """The same load, as a bare reader of the source sees it."""
    with source_alone(host.platform) as lines:
        first = len(lines)
        made = load()
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while len(lines) < first + len(made) and time.monotonic() < deadline:
            time.sleep(0.05)
    heard = lines[first:]
    late = [(at - moment) * 1000 for (at, _), (moment, _, _) in zip(heard, made, strict=False)]
    rate = len(made) / (heard[-1][0] - made[0][0])
    return {"changes_per_second": rate, "lines": len(heard), "late_ms": spread(late)}


@dataclass(frozen=True)
class Plan:
    """How many changes each load has, and how fast they come."""

    zones: int
    burst: int
    storm: int
    per_second: int
    seconds: float
    simulated_per_second: int

    def load(self, changes: float, seconds: float) -> tuple[int, float]:
        """Changes and seconds at the same rate, in whole rounds: every zone runs again at the end of each load."""
        whole = rounded_to(changes, self.zones * len(ROUND))
        return whole, seconds * whole / changes


def measure(plan: Plan) -> Report:
    """All of it."""
    report = Report("events", asdict(plan))
    with scratch() as folder, stand.new_nsqd(folder / "nsqd") as nsqd:
        report.figures = {**with_recorded(folder, nsqd, plan), **with_simulated(folder, nsqd, plan)}
    loads = [report.figures[name] for name in ("recorded_burst", "recorded_steady", "recorded_storm", "simulated")]
    report.goal("changes_per_second", loads[0]["changes_per_second"], ">=", 5000)
    for fault in ("lost", "not_due", "zones_told_otherwise"):
        report.goal(fault, sum(one[fault] for one in loads), "==", 0)
    report.goal("late_p99_ms", loads[1]["late_ms"]["p99"], "<", 50)
    report.goal("final_states_late_seconds", loads[1]["final_states_late_seconds"], "<=", 2)
    storm = report.figures["recorded_storm"]
    report.goal("storm_final_states_seconds", storm["last_change_to_last_final_state_seconds"], "<=", 2)
    report.goal("storm_lost", storm["lost"], "==", 0)
    report.goal("storm_zones_told_otherwise", storm["zones_told_otherwise"], "==", 0)
    report.goal("storm_left_in_outbox", storm["left_in_outbox"], "==", 0)
    return report


def with_recorded(folder: Path, nsqd: Nsqd, plan: Plan) -> dict[str, Any]:
    """Rate, delay and end of the agent alone. The host's lists know nothing of these changes and are asked seldom."""
    host = new_host(folder / "recorded", nsqd, plan.zones, zonemon_interval="10m")
    recorded.install(host.platform)
    loads = {
        "recorded_burst": (plan.load(plan.burst, 1.0)[0], 0.0),
        "recorded_steady": plan.load(plan.per_second * plan.seconds, plan.seconds),
        "recorded_storm": plan.load(plan.storm, 1.0),
    }
    figures = {}
    with stand.running(host):
        time.sleep(5)
        through_agent(host, from_recorded(host, plan.zones * len(ROUND), 2.0))
        for name, (changes, seconds) in loads.items():
            progress(f"{name}: {changes} changes in {seconds:g} s")
            verdict = through_agent(host, from_recorded(host, changes, seconds))
            figures[name] = {**verdict, "left_in_outbox": left_in_outbox(host)}
    return figures


def with_simulated(folder: Path, nsqd: Nsqd, plan: Plan) -> dict[str, Any]:
    """The whole host at a rate that the simulator can keep, with lists every second."""
    host = new_host(folder / "simulated", nsqd, plan.zones)
    some = [min(file.stem for file in (host.platform / "etc" / "zones").glob("*.xml"))]
    changes, seconds = plan.load(plan.simulated_per_second * plan.seconds, plan.seconds)
    load = from_simulated(host, changes, seconds)
    with stand.running(host):
        followed(host, from_simulated(host, len(ROUND), 0.0, some))
        progress(f"simulated: {changes} changes in {seconds:g} s")
        ours = through_agent(host, load)
    return {"simulated": ours, "simulated_source_alone": without_agent(host, load)}


def rounded_to(count: float, whole: int) -> int:
    """The nearest multiple, one at least."""
    return max(1, round(count / whole)) * whole


def new_host(folder: Path, nsqd: Nsqd, zones: int, **settings: str) -> Host:
    """A host that keeps all of its events."""
    return Host(folder, nsqd, zones=zones, settings={"log.level": "warning", "outbox_limit": "1GB", **settings})


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--zones", default=1000, show_default=True)
@click.option("--burst", default=20_000, show_default=True, help="Changes at once; made to whole rounds of all zones.")
@click.option("--storm", default=5000, show_default=True, help="Changes within one second, at the recorded source.")
@click.option("--per-second", default=5000, show_default=True, help="The steady rate of the recorded source.")
@click.option("--seconds", default=4.0, show_default=True, help="About how long a steady rate lasts.")
@click.option("--simulated-per-second", default=1000, show_default=True, help="The rate of the simulated source.")
def main(*, as_json: bool, **plan: Any) -> None:
    """Measure and tell."""
    show(measure(Plan(**plan)), as_json=as_json)


if __name__ == "__main__":
    main()
