"""Commands per second, from a full queue to the last result at nsqd, beside a bare pynsq echo and a Celery worker.

The queue is filled while its channel is held; the clock runs from the release to the moment at which nsqd has had as
many results as there were commands. Afterwards every result is read, and each id must have exactly one. The agent and
the pynsq echo take turns on the same nsqd; each is alone on the machine while it is measured, and warm.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from nsq_servers import Nsqd
from worlds import Host

from benchmarks import machine, stand
from benchmarks.peers import children
from benchmarks.report import Report, median, progress, scratch, show

RESULTS, ECHO_COMMANDS, ECHO_RESULTS = "chunter.result", "echo.command", "echo.result"
WAYS = tuple((limit, finish) for finish in ("late", "early") for limit in (50, 200, 500))
TIMEOUT_SECONDS = 120.0


@dataclass(frozen=True)
class Round:
    """One measurement of one peer."""

    per_second: float
    cpu_us: float
    rss_mib: float

    def figures(self) -> dict[str, float]:
        """For the report."""
        return {"per_second": self.per_second, "cpu_us_per_command": self.cpu_us, "peak_rss_mib": self.rss_mib}


def pings(count: int, mark: str) -> list[bytes]:
    """Commands with different ids."""
    return [json.dumps({"id": f"{mark}-{number}", "action": "host.ping"}).encode() for number in range(count)]


class Queue:
    """A topic of commands, its one channel, and the topic of the answers on an nsqd."""

    def __init__(self, nsqd: Nsqd, commands: str, channel: str, results: str, id_of: Callable[[Any], str]) -> None:
        self._nsqd = nsqd
        self._names = (commands, channel, results)
        self._id_of = id_of
        self._marks = 0

    def run(self, pid: int, count: int) -> Round:
        """Fill, release, wait for the answers, and check them."""
        commands, channel, results = self._names
        self._marks += 1
        bodies = pings(count, f"{channel[:8]}-{pid}-{self._marks}")
        with stand.Gauge(self._nsqd) as gauge:
            gauge.make(results, "check")
            gauge.hold(commands, channel)
            gauge.fill(commands, bodies)
            before, cpu = gauge.published(results), machine.cpu_seconds(pid)
            started = time.monotonic()
            gauge.release(commands, channel)
            seconds = gauge.wait(results, before + count, TIMEOUT_SECONDS) - started
        used = machine.cpu_seconds(pid) - cpu
        self._check(bodies, stand.drain(self._nsqd, results, "check", count))
        return Round(count / seconds, used / count * 1e6, machine.peak_rss_mib(pid))

    def _check(self, bodies: list[bytes], answers: list[Any]) -> None:
        asked = sorted(json.loads(body)["id"] for body in bodies)
        answered = sorted(self._id_of(stand.event_of(one)) for one in answers)
        if asked != answered:
            raise RuntimeError(f"{len(asked)} commands, {len(set(answered))} of them answered in {len(answered)}")


def _succeeded(event: dict[str, Any]) -> str:
    result = event["data"]
    return str(result["command"]) if result["status"] == "succeeded" else f"not succeeded: {result}"


def agent_round(folder: Path, nsqd: Nsqd, host: Host, count: int, warm: int) -> Round:
    """The agent: everything journalled before FIN, every result through the outbox."""
    del folder
    with stand.running(host):
        queue = Queue(nsqd, host.topic, host.id, RESULTS, _succeeded)
        queue.run(host.pid, warm)
        return queue.run(host.pid, count)


def pynsq_round(folder: Path, nsqd: Nsqd, way: tuple[int, str], count: int, warm: int) -> Round:
    """The bare echo."""
    with stand.Gauge(nsqd) as gauge:
        gauge.make(ECHO_COMMANDS, "echo")
    with children.pynsq_echo(folder, nsqd, ECHO_COMMANDS, ECHO_RESULTS, *way) as child:
        queue = Queue(nsqd, ECHO_COMMANDS, "echo", ECHO_RESULTS, _succeeded)
        queue.run(child.pid, warm)
        return queue.run(child.pid, count)


def celery_round(folder: Path, count: int, warm: int) -> Round:
    """A Celery worker with Redis; every result is kept in Redis."""
    from benchmarks.peers import celery_echo  # noqa: PLC0415 - it may not be installed

    with children.redis_server(folder) as url, children.celery_worker(folder, url) as worker:
        celery_echo.app.conf.update(broker_url=url, result_backend=url)
        _celery_batch(celery_echo, worker.pid, warm, "warm")
        return _celery_batch(celery_echo, worker.pid, count, "run")


def _celery_batch(tasks: Any, pid: int, count: int, mark: str) -> Round:
    with tasks.app.connection_for_write() as connection:
        redis = connection.default_channel.client
        tasks.wait.delay()
        sent = [tasks.echo.delay(body.decode()) for body in pings(count, mark)]
        keys = [tasks.app.backend.get_key_for_task(one.id) for one in sent]
        cpu, started = machine.cpu_seconds(pid), time.monotonic()
        redis.lpush(tasks.GATE, "go")
        while not redis.exists(keys[-1]):
            if time.monotonic() - started > TIMEOUT_SECONDS:
                raise TimeoutError("the Celery worker did not end in time")
            time.sleep(stand.POLL_SECONDS)
        seconds, used = time.monotonic() - started, machine.cpu_seconds(pid) - cpu
        answers = [json.loads(text) for text in redis.mget(keys)]
        redis.delete(*keys)
    if {("SUCCESS", "succeeded")} != {(one["status"], one["result"]["data"]["status"]) for one in answers}:
        raise RuntimeError("a Celery task failed")
    return Round(count / seconds, used / count * 1e6, machine.peak_rss_mib(pid))


def measure(commands: int, rounds: int, zones: int, celery_commands: int) -> Report:
    """All of it."""
    sizes = {"commands": commands, "rounds": rounds, "zones": zones, "celery_commands": celery_commands}
    report = Report("commands", {**sizes, "seed": "none: ids are counted, the host is always the same"})
    with scratch() as folder, stand.new_nsqd(folder / "nsqd") as nsqd:
        ways = {way: _tried(folder, nsqd, way, commands // 2) for way in WAYS}
        best = max(ways, key=lambda way: ways[way])
        report.figures["pynsq_ways_per_second"] = {f"in_flight_{n}_finish_{how}": v for (n, how), v in ways.items()}
        report.figures["pynsq_best"] = f"in_flight_{best[0]}_finish_{best[1]}"
        host = Host(folder / "host", nsqd, zones=zones, settings={"log.level": "warning"})
        agents, echoes = [], []
        for number in range(rounds):
            progress(f"round {number + 1} of {rounds}")
            agents.append(agent_round(folder, nsqd, host, commands, commands // 8))
            echoes.append(pynsq_round(folder, nsqd, best, commands, commands // 8))
        _compare(report, "agent", agents)
        _compare(report, "pynsq", echoes)
        ratios = [ours.per_second / theirs.per_second for ours, theirs in zip(agents, echoes, strict=True)]
        report.figures["ratio_pynsq_rounds"] = ratios
        report.goal("ratio_pynsq", median(ratios), ">=", 1.0)
        _celery(report, folder, median([one.per_second for one in agents]), celery_commands)
    return report


def _tried(folder: Path, nsqd: Nsqd, way: tuple[int, str], count: int) -> float:
    progress(f"pynsq echo, max_in_flight {way[0]}, finish {way[1]}")
    return pynsq_round(folder, nsqd, way, count, count // 4).per_second


def _compare(report: Report, name: str, rounds: list[Round]) -> None:
    middle = sorted(rounds, key=lambda one: one.per_second)[len(rounds) // 2]
    report.figures[name] = {**middle.figures(), "rounds_per_second": [round(one.per_second) for one in rounds]}


def _celery(report: Report, folder: Path, ours: float, count: int) -> None:
    missing = children.celery_missing()
    if missing is not None or not count:
        report.notes.append(missing or "Celery is left out: asked to")
        return
    progress("celery worker, pool solo, Redis")
    one = celery_round(folder, count, count // 8)
    report.figures["celery"] = one.figures()
    report.goal("ratio_celery", ours / one.per_second, ">=", 8.0)


@click.command(help=__doc__)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--commands", default=8000, show_default=True, help="Commands in each round.")
@click.option("--rounds", default=3, show_default=True, help="Rounds of agent and pynsq echo in turn.")
@click.option("--zones", default=10, show_default=True, help="Zones on the agent's host.")
@click.option("--celery-commands", default=2000, show_default=True, help="Commands for Celery; 0 leaves it out.")
def main(*, as_json: bool, commands: int, rounds: int, zones: int, celery_commands: int) -> None:
    """Measure and tell."""
    show(measure(commands, rounds, zones, celery_commands), as_json=as_json)


if __name__ == "__main__":
    main()
