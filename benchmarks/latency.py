"""The time that the agent adds around a tool: command published to result received, less the tool's own time.

20 commands a second, each runs `vmadm get` of another machine, while 1,000 zones are watched at the default intervals.
The tool's own time is that of its process, from start to end. Beside it, at the same rate and with the same agent at
work, the same tool started by a bare asyncio program: what any program pays for a process on this machine, and the
agent's answer to host.ping, which runs no tool.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self

import click
from nsq_servers import Nsqd
from worlds import FINAL, Host

from benchmarks import stand
from benchmarks.report import Report, progress, scratch, show, spread
from benchmarks.stopwatch import Stopwatch
from chunter_nsq.bus.address import Address
from chunter_nsq.bus.consumer import Consumer, Delivery
from chunter_nsq.bus.producer import Producer
from chunter_nsq.bus.settings import Connection

ANSWER_SECONDS = 30.0


class Caller:
    """Publishes commands and notes when each was published and when its result came."""

    def __init__(self, nsqd: Nsqd, topic: str) -> None:
        self._topic = topic
        self._connection = Connection(nsqd=(Address.parse(nsqd.tcp_address),), hostname="bench")
        self._producer = Producer(self._connection)
        self._consumer = Consumer(self._connection, "chunter.result", "bench", self._hear)
        self._news = asyncio.Condition()
        self.published: dict[str, float] = {}
        self.received: dict[str, float] = {}
        self.failed: list[Any] = []

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self._consumer.start()
        await self._producer.wait_ready(10)
        await self._consumer.wait_ready(10)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.close()
        await self._producer.close()

    async def call(self, command: str, action: str, **members: Any) -> None:
        """Publish one command."""
        body = json.dumps({"id": command, "action": action, **members}).encode()
        self.published[command] = time.monotonic()
        await self._producer.publish(self._topic, [body])

    async def _hear(self, delivery: Delivery) -> None:
        now, data = time.monotonic(), json.loads(delivery.body)["data"]
        if data["status"] in FINAL:
            self.received[data["command"]] = now
            if data["status"] != "succeeded":
                self.failed.append(data["error"])
            async with self._news:
                self._news.notify_all()

    async def round_trips(self) -> dict[str, float]:
        """Seconds by command, once all have their result."""
        async with asyncio.timeout(ANSWER_SECONDS), self._news:
            await self._news.wait_for(lambda: len(self.received) >= len(self.published))
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} commands failed, the first: {self.failed[0]}")
        return {command: self.received[command] - at for command, at in self.published.items()}


async def paced(count: int, per_second: float, each: Callable[[int], Awaitable[Any]]) -> list[Any]:
    """Call ``each`` evenly, whether or not the one before has ended; their results."""
    started, tasks = time.monotonic(), []
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / per_second - time.monotonic()))
        tasks.append(asyncio.ensure_future(each(number)))
    return await asyncio.gather(*tasks)


async def bare(tool: Path, uuid: str) -> tuple[str, float]:
    """The tool's arguments, and the seconds that a bare program needs to run it and read its output."""
    began = time.monotonic()
    child = await asyncio.create_subprocess_exec(tool, "get", uuid, stdout=asyncio.subprocess.PIPE)
    await child.communicate()
    return f"get {uuid}", time.monotonic() - began


async def phases(host: Host, watch: Stopwatch, uuids: list[str], count: int, per_second: float) -> dict[str, Any]:
    """All three, one after the other, in milliseconds."""
    few = count // 4
    progress(f"{count} machine.get")
    async with Caller(host.nsqd, host.topic) as caller:
        await paced(count, per_second, lambda n: caller.call(f"get-{n}", "machine.get", uuid=uuids[n]))
        whole = await caller.round_trips()
    own, told = watch.seconds(), told_seconds(host)
    runs = {command: f"get {uuids[int(command[4:])]}" for command in whole}
    added = [(whole[command] - own[run]) * 1000 for command, run in runs.items()]
    by_log = [(whole[command] - told[run]) * 1000 for command, run in runs.items()]
    progress(f"{few} of the same by a bare program")
    others = await paced(few, per_second, lambda n: bare(watch.path, uuids[count + n]))
    own = watch.seconds()
    floor = [(seconds - own[run]) * 1000 for run, seconds in others]
    progress(f"{few} host.ping")
    async with Caller(host.nsqd, host.topic) as caller:
        await paced(few, per_second, lambda n: caller.call(f"ping-{n}", "host.ping"))
        pings = [seconds * 1000 for seconds in (await caller.round_trips()).values()]
    tools = [own[run] * 1000 for run in runs.values()]
    return {
        "added_ms": spread(added), "added_by_invocations_ms": spread(by_log), "tool_ms": spread(tools),
        "bare_program_added_ms": spread(floor), "ping_ms": spread(pings),
    }  # fmt: skip


def told_seconds(host: Host) -> dict[str, float]:
    """What the simulated tool says of its own time, by its arguments as one text."""
    entries = map(json.loads, (host.platform / "invocations.jsonl").read_text().splitlines())
    return {" ".join(entry["argv"][1:]): entry["seconds"] for entry in entries}


def measure(zones: int, count: int, per_second: float, settle_seconds: float) -> Report:
    """All of it."""
    report = Report("latency", {"zones": zones, "commands": count, "per_second": per_second})
    with scratch() as folder, stand.new_nsqd(folder / "nsqd") as nsqd:
        host = Host(folder / "host", nsqd, zones=zones, settings={"log.level": "warning"})
        watch = Stopwatch(host.platform, "vmadm")
        uuids = sorted(file.stem for file in (host.platform / "etc" / "zones").glob("*.xml"))
        with stand.running(host):
            time.sleep(settle_seconds)
            report.figures = asyncio.run(phases(host, watch, uuids, count, per_second))
    report.goal("added_p50_ms", report.figures["added_ms"]["p50"], "<", 10)
    report.goal("added_p99_ms", report.figures["added_ms"]["p99"], "<", 50)
    return report


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--zones", default=1000, show_default=True, help="Zones watched; at least 1.25 times the commands.")
@click.option("--commands", default=400, show_default=True)
@click.option("--per-second", default=20.0, show_default=True)
@click.option("--settle-seconds", default=5.0, show_default=True, help="Waited after the agent is ready.")
def main(*, as_json: bool, zones: int, commands: int, per_second: float, settle_seconds: float) -> None:
    """Measure and tell."""
    if zones < commands * 5 // 4:
        raise click.UsageError("each command asks for another zone: --zones must be 1.25 times --commands or more")
    show(measure(zones, commands, per_second, settle_seconds), as_json=as_json)


if __name__ == "__main__":
    main()
