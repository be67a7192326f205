"""Thousands of state changes within a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from nsq_servers import Nsqd
from slowness import SLOWNESS
from worlds import Ears, Event, Host

from chunter_nsq.smartos import simulator
from chunter_nsq.zonestate import public


def _host_states(host: Host) -> dict[str, str]:
    lines = host.tool("zoneadm", "list", "-ip").stdout.splitlines()
    fields = [line.split(":") for line in lines if ":global:" not in line]
    return {one[4]: public(one[2]) for one in fields}


ZONES = 96  # 5,000 changes leave some of them at another place of their round than where they began


@pytest.fixture
def nsqd(quick_nsqd: Nsqd) -> Nsqd:
    """A disk may be slower than a storm."""
    return quick_nsqd


class Told:
    """What zones were told to be, each event once: what was perhaps sent is sent again with the same id."""

    def __init__(self, ears: Ears) -> None:
        self.states: dict[str, list[str]] = {}
        self.sequences: list[int] = []
        self._ears = ears
        self._looked = 0
        self._known: set[str] = set()

    def last(self) -> dict[str, str]:
        """The state that was told last, by machine."""
        for event in self._ears.heard[self._looked :]:
            if event["topic"] == "chunter.zone" and event["id"] not in self._known:
                self._take(event)
        self._looked = len(self._ears.heard)
        return {uuid: states[-1] for uuid, states in self.states.items()}

    def _take(self, event: Event) -> None:
        self._known.add(event["id"])
        self.sequences.append(int(event["sequence"]))
        if event["type"] == "chunter.zone.state":
            self.states.setdefault(event["subject"], []).append(event["data"]["data"])


@pytest.mark.thorough
async def test_a_storm_ends_with_the_truth(ears: Ears, new_host: Callable[..., Host]) -> None:
    """After 5,000 changes what was told last is what the host shows; no state twice in a row, no gap, nothing left."""
    host = await new_host(zones=ZONES).start().ready()
    told = Told(ears)
    await ears.when(lambda: ZONES == len(told.last()))
    made = await asyncio.to_thread(simulator.storm, host.platform, 5000, seconds=1.0)
    assert 5000 == made
    truth = await asyncio.to_thread(_host_states, host)

    await ears.when(lambda: truth == told.last(), 60)
    for states in told.states.values():
        assert all(before != after for before, after in pairwise(states)), states
    assert list(range(1, len(told.sequences) + 1)) == told.sequences
    async with asyncio.timeout(20 * SLOWNESS):
        while json.loads((await host.get("/api/status"))[1])["outbox"]["waiting"]:
            await asyncio.sleep(0.02)
