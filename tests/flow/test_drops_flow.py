"""An nsqd that stays away for longer than the disk has room for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from nsq_servers import Nsqd
from worlds import Ears, Host


def _missing(ears: Ears, topic: str) -> set[int]:
    heard = {int(event["sequence"]) for event in ears.heard if event["topic"] == topic}
    return set(range(1, max(heard, default=0) + 1)) - heard


def _told(ears: Ears, topic: str) -> set[int]:
    ranges = [event["data"]["data"] for event in ears.of("chunter.host.dropped")]
    return {number for one in ranges if one["topic"] == topic for number in range(one["from"], one["to"] + 1)}


async def test_what_is_dropped_for_space_is_told(ears: Ears, new_host: Callable[..., Host], nsqd: Nsqd) -> None:
    """Statistics alone are dropped, and whatever of them never comes lies in a range that was told."""
    host = await new_host(zones=60, settings={"outbox_limit": "1MB", "metrics_interval": "400ms"}).start().ready()
    await ears.when(lambda: ears.of("chunter.metric.cpu") != [])
    await asyncio.to_thread(nsqd.stop)
    while not json.loads((await host.get("/api/status"))[1])["outbox"]["dropped"]:
        await asyncio.sleep(0.1)
    await asyncio.to_thread(nsqd.start)

    first = (await ears.until(lambda event: event["type"] == "chunter.host.dropped", 60))["data"]["data"]
    assert "chunter.metric" == first["topic"]
    await ears.when(
        lambda: any(int(event["sequence"]) > first["to"] for event in ears.heard if event["topic"] == "chunter.metric"),
        60,
    )
    await ears.when(lambda: _missing(ears, "chunter.metric") <= _told(ears, "chunter.metric"), 60)
    for topic in ("chunter.zone", "chunter.service", "chunter.snapshot"):
        await ears.when(lambda topic=topic: set() == _missing(ears, topic))
