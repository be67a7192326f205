"""What watching costs: the agent's own CPU and the processes that it starts, at 1,000 zones and at 10.

Both run at the default intervals, one after the other. CPU is that of the agent's process with its threads, without the
tools that it starts; those are counted in the host's invocations.jsonl, where each that has ended stands. What happens
at the start (first listings, first announce) is over when the clock starts. What the agent does every 15 minutes falls
into a short window rarely: --set snapshot_update_interval=1m brings it in, at fifteen times its share.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from nsq_servers import Nsqd
from worlds import Host

from benchmarks import machine, stand
from benchmarks.report import Report, progress, scratch, show

_LOOK_SECONDS = 5.0
_VERB = re.compile("[a-z]+(-[a-z]+)?")


def invocations(host: Host) -> Counter[str]:
    """How often each tool was run so far, by its name and verb."""
    log = host.platform / "invocations.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    counts: Counter[str] = Counter()
    for line in lines:
        argv = json.loads(line)["argv"]
        verb = next((word for word in argv[1:] if _VERB.fullmatch(word)), "")
        counts[f"{Path(argv[0]).name} {verb}".strip()] += 1
    return counts


def publishers(host: Host) -> list[dict[str, Any]]:
    """How those do that have an interval."""
    _, body = asyncio.run(host.get("/api/status"))
    return [one for one in json.loads(body)["publishers"] if one["interval_seconds"]]


def lateness(host: Host) -> dict[str, float]:
    """How late each publisher was asked last, in its own intervals."""
    return {one["name"]: one["late_seconds"] / one["interval_seconds"] for one in publishers(host)}


def missed(host: Host) -> Counter[str]:
    """How many whole intervals passed so far without a publisher being asked; between two looks none is overlooked."""
    return Counter({one["name"]: one["missed"] for one in publishers(host)})


def latest(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """The larger of each."""
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in one | other}


def watch(host: Host, settle_seconds: float, window_seconds: float) -> dict[str, Any]:
    """One host for a while, nothing going on."""
    with stand.running(host):
        time.sleep(settle_seconds)
        before, overdue = invocations(host), missed(host)
        cpu, began = machine.cpu_seconds(host.pid), time.monotonic()
        late = {"": 0.0}
        while (left := window_seconds - (time.monotonic() - began)) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
            late = latest(late, lateness(host))
        passed = time.monotonic() - began
        used, started = machine.cpu_seconds(host.pid) - cpu, invocations(host) - before
        minutes = passed / 60
        return {
            "cpu_percent": 100 * used / passed,
            "starts_per_minute": started.total() / minutes,
            "starts_by_tool_per_minute": {tool: count / minutes for tool, count in sorted(started.items())},
            "rss_mib": machine.rss_mib(host.pid),
            "peak_rss_mib": machine.peak_rss_mib(host.pid),
            "late_intervals": late,
            "missed_intervals": dict(missed(host) - overdue),
        }


@dataclass(frozen=True)
class Plan:
    """What each host is like, and how long it is watched."""

    services: int
    snapshots: int
    settle_seconds: float
    window_seconds: float
    settings: dict[str, str]


def host_of(folder: Path, nsqd: Nsqd, zones: int, plan: Plan) -> dict[str, Any]:
    """The figures of a host of that size."""
    progress(f"{zones} zones for {plan.window_seconds:.0f} s")
    host = Host(folder / f"host{zones}", nsqd, settings={"log.level": "warning", **plan.settings})
    host.platform = stand.platform(folder / f"platform{zones}", zones, plan.services, plan.snapshots)
    host.configure(platform_root=str(host.platform))
    figures = watch(host, plan.settle_seconds, plan.window_seconds)
    return {**figures, "cpu_us_per_zone_and_second": figures["cpu_percent"] * 1e4 / zones}


def measure(zones: int, few: int, plan: Plan) -> Report:
    """All of it."""
    report = Report("monitoring", {"zones": [zones, few], **asdict(plan)})
    with scratch() as folder, stand.new_nsqd(folder / "nsqd") as nsqd:
        many = report.figures["many_zones"] = host_of(folder, nsqd, zones, plan)
        small = report.figures["few_zones"] = host_of(folder, nsqd, few, plan)
    report.goal("cpu_percent", many["cpu_percent"], "<", 3)
    report.goal("rss_mib", many["peak_rss_mib"], "<", 120)
    report.goal("late_intervals", max(many["late_intervals"].values()), "<=", 1)
    report.goal("missed_intervals", sum(many["missed_intervals"].values()), "==", 0)
    more = many["starts_per_minute"] / small["starts_per_minute"]
    report.goal("starts_ratio", more, "<=", 1.1)
    report.goal("starts_ratio_least", more, ">=", 0.9)
    per_zone = "cpu_us_per_zone_and_second"
    report.goal("cost_per_zone_ratio", many[per_zone] / small[per_zone], "<", 1)
    if "zfs list" not in many["starts_by_tool_per_minute"]:
        report.notes.append("snapshots were not listed in the window; --set snapshot_update_interval=1m brings it in")
    return report


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--zones", default=1000, show_default=True)
@click.option("--few", default=10, show_default=True, help="Zones of the small host.")
@click.option("--services", default=60, show_default=True, help="SMF services of each zone.")
@click.option("--snapshots", default=50, show_default=True, help="ZFS snapshots of each zone.")
@click.option("--window-seconds", default=180.0, show_default=True, help="How long each host is watched.")
@click.option("--settle-seconds", default=30.0, show_default=True, help="Waited before that.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A line of chunter.conf; may be repeated.")
def main(*, as_json: bool, zones: int, few: int, settings: tuple[str, ...], **plan: Any) -> None:
    """Measure and tell."""
    changed = dict(one.split("=", 1) for one in settings)
    show(measure(zones, few, Plan(**plan, settings=changed)), as_json=as_json)


if __name__ == "__main__":
    main()
