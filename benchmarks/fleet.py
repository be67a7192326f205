"""Many agents on one pair of nsqd with an nsqlookupd: all announce, each answers a command, and what each costs.

Each agent is a whole one, with a simulated host of its own; it publishes to one nsqd of the pair (half of them to each)
and finds both through nsqlookupd. The platform's tools are simulated by interpreters, and a hundred hosts' worth of
those is more than a small machine has: so what runs a tool every second or every ten is asked every ten minutes here.
Announces and heartbeats are at their defaults. One command goes to each host's own topic, and then one for all of them
to the common topic.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import click
from nsq_servers import Nsqd, Nsqlookupd
from worlds import Host

from benchmarks import machine, stand
from benchmarks.report import Report, progress, scratch, show, spread
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.settings import Connection

INTERVALS = ("zonemon_interval", "update_services_interval", "zpool_interval", "arc_interval")
SLOW = {**dict.fromkeys(INTERVALS, "10m"), "metrics": "off", "log.level": "warning"}
AT_ONCE = 4
START_SECONDS = 300.0
ANSWER_SECONDS = 60.0
STOP_SECONDS = 300.0


class Listener:
    """Hears announces and results of both nsqd, with the moments."""

    def __init__(self, pair: list[Nsqd]) -> None:
        connection = Connection(nsqd=tuple(Address.parse(one.tcp_address) for one in pair), hostname="bench")
        self._consumers = [Consumer(connection, f"chunter.{t}", "bench", self._hear) for t in ("announce", "result")]
        self._news = asyncio.Condition()
        self.announced: dict[str, float] = {}
        self.answered: dict[tuple[str, str], float] = {}  # command and host

    async def __aenter__(self) -> Self:
        for consumer in self._consumers:
            await consumer.start()
            await consumer.wait_ready(10)
        return self

    async def __aexit__(self, *_: object) -> None:
        for consumer in self._consumers:
            await consumer.close()

    async def _hear(self, delivery: Delivery) -> None:
        now, event = time.monotonic(), json.loads(delivery.body)
        if event["type"] == "chunter.host.announce":
            self.announced.setdefault(event["subject"], now)
        elif event["type"] == "chunter.result" and event["data"]["status"] == "succeeded":
            self.answered.setdefault((event["data"]["command"], event["data"]["host"]), now)
        async with self._news:
            self._news.notify_all()

    async def until(self, count: int, seen: dict[Any, float], seconds: float) -> None:
        """Wait until so many were seen, or time is up."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: len(seen) >= count)


@contextmanager
def fleet(folder: Path, pair: list[Nsqd], lookupd: Nsqlookupd, size: int, zones: int) -> Iterator[list[Host]]:
    """The hosts, without agents; what was started is ended."""
    hosts: list[Host] = []
    try:
        for number in range(size):
            host = Host(folder / f"host{number}", pair[number % 2], zones=zones, settings=SLOW)
            host.configure(nsqlookupd=lookupd.http_address)
            hosts.append(host)
        yield hosts
    finally:
        for host in hosts:
            host.end()


async def start(hosts: list[Host], listener: Listener) -> float:
    """Start the agents, a few at a time; the seconds until all have announced themselves."""
    began = time.monotonic()
    for number, host in enumerate(hosts, 1):
        host.start()
        await listener.until(number - AT_ONCE, listener.announced, START_SECONDS)
        if number % 20 == 0:
            progress(f"{number} started, {len(listener.announced)} announced")
    await listener.until(len(hosts), listener.announced, START_SECONDS)
    return time.monotonic() - began


async def ask(hosts: list[Host], listener: Listener) -> dict[str, Any]:
    """One command to each, then one to all; seconds until each answer."""
    began = time.monotonic()
    for number, host in enumerate(hosts):
        with stand.Gauge(host.nsqd) as gauge:
            body = {"id": f"one-{number}", "action": "host.info"}
            gauge.fill(host.topic, [json.dumps(body).encode()])
    await listener.until(len(hosts), listener.answered, ANSWER_SECONDS)
    single = [at - began for at in listener.answered.values()]
    listener.answered.clear()
    began = time.monotonic()
    with stand.Gauge(hosts[0].nsqd) as gauge:
        gauge.fill("chunter.command", [json.dumps({"id": "all", "action": "host.info", "host": "*"}).encode()])
    await listener.until(len(hosts), listener.answered, ANSWER_SECONDS)
    return {
        "own_topic_seconds": spread(single),
        "common_topic_seconds": spread([at - began for at in listener.answered.values()]),
    }


async def run(hosts: list[Host], pair: list[Nsqd], rest_seconds: float) -> dict[str, Any]:
    """Start, ask, weigh, stop."""
    async with Listener(pair) as listener:
        seconds = await start(hosts, listener)
        progress(f"{len(listener.announced)} of {len(hosts)} have announced themselves after {seconds:.0f} s")
        await asyncio.sleep(rest_seconds)
        figures = await ask(hosts, listener)
        cpu, began = [machine.cpu_seconds(host.pid) for host in hosts], time.monotonic()
        await asyncio.sleep(rest_seconds)
        passed = time.monotonic() - began
        used = [machine.cpu_seconds(host.pid) - before for host, before in zip(hosts, cpu, strict=True)]
        figures |= {
            "announced": len(listener.announced),
            "start_all_seconds": seconds,
            "rss_mib": spread([machine.rss_mib(host.pid) for host in hosts]),
            "own_mib": spread([machine.own_mib(host.pid) for host in hosts]),
            "agent_cpu_percent_at_rest": spread([100 * one / passed for one in used]),
            "nsqd_rss_mib": [machine.rss_mib(one.pid or 0) for one in pair],
        }
        progress("stopping")
        statuses = await asyncio.gather(*(host.stop(STOP_SECONDS) for host in hosts))
        return {**figures, "stopped_well": statuses.count(0)}


def measure(agents: int, zones: int, rest_seconds: float) -> Report:
    """All of it."""
    report = Report("fleet", {"agents": agents, "zones_each": zones, "rest_seconds": rest_seconds, **SLOW})
    with scratch() as folder, ExitStack() as stack:
        lookupd = stack.enter_context(Nsqlookupd(folder / "lookupd"))
        pair = [stack.enter_context(stand.new_nsqd(folder / f"nsqd{n}", lookupd=[lookupd])) for n in range(2)]
        progress(f"making {agents} hosts")
        hosts = stack.enter_context(fleet(folder, pair, lookupd, agents, zones))
        report.figures = figures = asyncio.run(run(hosts, pair, rest_seconds))
    answered = min(figures[way]["count"] for way in ("own_topic_seconds", "common_topic_seconds"))
    slowest = max(figures[way]["max"] for way in ("own_topic_seconds", "common_topic_seconds"))
    report.goal("agents_announced", figures["announced"], ">=", agents)
    report.goal("agents_answered", answered, ">=", agents)
    report.goal("slowest_answer_seconds", slowest, "<=", 5)
    return report


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--agents", default=100, show_default=True)
@click.option("--zones", default=2, show_default=True, help="Zones of each host.")
@click.option("--rest-seconds", default=10.0, show_default=True)
def main(*, as_json: bool, agents: int, zones: int, rest_seconds: float) -> None:
    """Measure and tell."""
    show(measure(agents, zones, rest_seconds), as_json=as_json)


if __name__ == "__main__":
    main()
