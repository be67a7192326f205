"""What the agent costs when there is little to do: start, memory, and growth.

Seconds from the start of the process to its first announce at nsqd; resident memory some time after that, with 100
zones watched; and what it has grown by after 10,000 commands, sent in bursts of 500. Peers: a bare pynsq echo and, when
it is installed, a Celery worker, each after the same time at rest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
from nsq_servers import Nsqd
from worlds import Host

from benchmarks import machine, stand
from benchmarks.commands import ECHO_COMMANDS, ECHO_RESULTS, RESULTS, pings
from benchmarks.peers import children
from benchmarks.report import Report, progress, scratch, show

ANNOUNCE = "chunter.announce"
TIMEOUT_SECONDS = 60.0


@contextmanager
def timed_start(host: Host) -> Iterator[float]:
    """A started agent: seconds from its process's start to its announce at nsqd."""
    with stand.Gauge(host.nsqd) as gauge:
        before, began = gauge.published(ANNOUNCE), time.monotonic()
        try:
            host.start()
            seconds = gauge.wait(ANNOUNCE, before + 1, TIMEOUT_SECONDS) - began
            asyncio.run(host.ready())
            yield seconds
            asyncio.run(host.stop())
        finally:
            host.end()


def burst(nsqd: Nsqd, host: Host, count: int, size: int, mark: str) -> None:
    """Commands in bursts, each answered before the next."""
    with stand.Gauge(nsqd) as gauge:
        for start in range(0, count, size):
            before = gauge.published(RESULTS)
            gauge.fill(host.topic, pings(size, f"{mark}{start}"))
            gauge.wait(RESULTS, before + size, TIMEOUT_SECONDS)


def memory(pid: int) -> dict[str, float]:
    """Resident, and the part that is shared with nobody."""
    return {"rss_mib": machine.rss_mib(pid), "own_mib": machine.own_mib(pid)}


def agent_figures(host: Host, starts: int, commands: int, size: int, rest_seconds: float) -> dict[str, Any]:
    """Start some times; the last one stays for the memory."""
    seconds = []
    for _ in range(starts - 1):
        with timed_start(host) as one:
            seconds.append(one)
    with timed_start(host) as one:
        seconds.append(one)
        time.sleep(rest_seconds)
        progress("memory at rest")
        figures: dict[str, Any] = {"start_seconds": median(seconds), "starts": seconds, "at_rest": memory(host.pid)}
        for name in ("after_first_commands", "after_as_many_again"):
            progress(f"{commands} commands")
            burst(host.nsqd, host, commands, size, name)
            time.sleep(1)
            figures[name] = memory(host.pid)
    return figures


def peers(folder: Path, nsqd: Nsqd, report: Report, rest_seconds: float) -> None:
    """The others at rest."""
    progress("peers at rest")
    with children.pynsq_echo(folder, nsqd, ECHO_COMMANDS, ECHO_RESULTS, 50, "late") as child:
        time.sleep(rest_seconds)
        report.figures["pynsq"] = memory(child.pid)
    missing = children.celery_missing()
    if missing is not None:
        report.notes.append(missing)
        return
    with children.redis_server(folder) as url, children.celery_worker(folder, url) as worker:
        time.sleep(rest_seconds)
        report.figures["celery"] = memory(worker.pid)


def measure(zones: int, starts: int, commands: int, size: int, rest_seconds: float) -> Report:
    """All of it."""
    sizes = {"zones": zones, "starts": starts, "commands": commands, "burst": size, "rest_seconds": rest_seconds}
    report = Report("idle", sizes)
    with scratch() as folder, stand.new_nsqd(folder / "nsqd") as nsqd:
        host = Host(folder / "host", nsqd, zones=zones, settings={"log.level": "warning"})
        figures = agent_figures(host, starts, commands, size, rest_seconds)
        report.figures["agent"] = figures
        peers(folder, nsqd, report, rest_seconds)
    first, second = figures["after_first_commands"]["rss_mib"], figures["after_as_many_again"]["rss_mib"]
    report.goal("rss_mib", figures["at_rest"]["rss_mib"], "<=", 45)
    report.goal("start_seconds", figures["start_seconds"], "<", 1)
    report.goal("growth_mib", first - figures["at_rest"]["rss_mib"], "<", 2)
    report.goal("further_growth_mib", second - first, "<", 2)
    return report


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--zones", default=100, show_default=True)
@click.option("--starts", default=5, show_default=True, help="The median of so many starts.")
@click.option("--commands", default=10_000, show_default=True)
@click.option("--burst", default=500, show_default=True, help="Commands sent at once; a divisor of --commands.")
@click.option("--rest-seconds", default=5.0, show_default=True, help="Between start and the look at the memory.")
def main(*, as_json: bool, zones: int, starts: int, commands: int, burst: int, rest_seconds: float) -> None:
    """Measure and tell."""
    show(measure(zones, starts, commands, burst, rest_seconds), as_json=as_json)


if __name__ == "__main__":
    main()
