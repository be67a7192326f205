"""The platform's event stream of a running agent: it ends, it is begun anew, and nothing is missed meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from worlds import Ears, Host

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
START_TIME = 19  # place behind the name in /proc/PID/stat


def _streams(host: Host) -> set[int]:
    """The process ids of the streams that run."""
    found = set()
    for pid in host.tools_running():
        try:
            if b"\0events\0" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(pid)
        except OSError:
            continue
    return found


def _started(pid: int) -> float:
    """When a process was started, on the clock that counts from the machine's start."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[START_TIME]) / TICKS_PER_SECOND


async def _stream(host: Host, *but: int) -> int:
    """The process id of a stream that runs, and is none of those."""
    async with asyncio.timeout(20):
        while not (found := _streams(host) - set(but)):
            await asyncio.sleep(0.01)
    return min(found)


@pytest.mark.alone
async def test_a_stream_that_ends_is_begun_within_a_second(ears: Ears, new_host: Callable[..., Host]) -> None:
    """There is another one, and one warning."""
    host = await new_host(zones=1).start().ready()
    first = await _stream(host)
    await ears.until(lambda e: e["type"] == "chunter.zone.update")
    ended = time.clock_gettime(time.CLOCK_BOOTTIME)
    os.kill(first, signal.SIGKILL)
    second = await _stream(host, first)

    assert _started(second) - ended < 1
    await ears.when(lambda: ["failing"] == _warned(ears))


async def test_what_happens_between_two_streams_is_told(ears: Ears, new_host: Callable[..., Host]) -> None:
    """A stop and a start without a stream are found by the list, in order and once; then the stream tells again."""
    host = await new_host(zones=1).start().ready()
    uuid = host.machine()
    first = await _stream(host)
    await ears.until(lambda e: e["type"] == "chunter.zone.update")
    await ears.when(lambda: ["running"] == _states(ears))
    await host.chunter("simulator", "fault", str(host.platform), "vmadm", "events", "--exit", "1")
    os.kill(first, signal.SIGKILL)
    await ears.when(lambda: ["failing"] == _warned(ears))

    for verb, state in (("stop", "stopped"), ("start", "running")):
        told = len(ears.of("chunter.zone.state"))
        assert 0 == (await asyncio.to_thread(host.tool, "vmadm", verb, uuid)).returncode
        await ears.when(lambda told=told, state=state: state in _states(ears)[told:])
    await host.chunter("simulator", "faults", str(host.platform), "--clear")
    await _stream(host, first)
    await ears.when(lambda: ["failing", "recovered"] == _warned(ears), 40)
    assert 0 == (await asyncio.to_thread(host.tool, "vmadm", "update", uuid, "alias=again")).returncode
    await ears.until(lambda e: e["type"] == "chunter.zone.update" and _alias(e) == "again")

    states = _states(ears)
    assert ("running", "running") == (states[0], states[-1])
    assert all(before != after for before, after in pairwise(states))
    sequences = [int(event["sequence"]) for event in ears.heard if event["topic"] == "chunter.zone"]
    assert list(range(1, len(sequences) + 1)) == sequences


def _warned(ears: Ears) -> list[str]:
    told = [event["data"]["data"] for event in ears.of("chunter.host.warning")]
    return [one["state"] for one in told if one["source"] == "zones stream"]


def _states(ears: Ears) -> list[str]:
    return [event["data"]["data"] for event in ears.of("chunter.zone.state")]


def _alias(event: dict) -> str:
    return event["data"]["data"]["config"].get("alias", "")
