"""Thousands of state changes within a second."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise

import pytest
from worlds import Ears, Event, Host

from chunter_nsq.smartos import simulator
from chunter_nsq.zonestate import public


def _host_states(host: Host) -> dict[str, str]:
    lines = host.tool("zoneadm", "list", "-ip").stdout.splitlines()
    fields = [line.split(":") for line in lines if ":global:" not in line]
    return {one[4]: public(one[2]) for one in fields}


ZONES = 96  # 5,000 changes leave some of them at another place of their round than where they began


def _heard(ears: Ears) -> list[Event]:
    """Events of zones, each once: what was perhaps sent is sent again with the same id."""
    return list({event["id"]: event for event in ears.heard if event["topic"] == "chunter.zone"}.values())


def _told(ears: Ears) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for event in (one for one in _heard(ears) if one["type"] == "chunter.zone.state"):
        told.setdefault(event["subject"], []).append(event["data"]["data"])
    return told


@pytest.mark.thorough
async def test_a_storm_ends_with_the_truth(ears: Ears, new_host: Callable[..., Host]) -> None:
    """After 5,000 changes what was told last is what the host shows; no state twice in a row, no gap, nothing left."""
    host = await new_host(zones=ZONES).start().ready()
    await ears.when(lambda: ZONES == len(_told(ears)))
    made = await asyncio.to_thread(simulator.storm, host.platform, 5000, seconds=1.0)
    assert 5000 == made
    truth = await asyncio.to_thread(_host_states, host)

    await ears.when(lambda: truth == {uuid: states[-1] for uuid, states in _told(ears).items()}, 60)
    for states in _told(ears).values():
        assert all(before != after for before, after in pairwise(states)), states
    sequences = [int(event["sequence"]) for event in _heard(ears)]
    assert list(range(1, len(sequences) + 1)) == sequences
    while json.loads((await host.get("/api/status"))[1])["outbox"]["waiting"]:
        await asyncio.sleep(0.02)
