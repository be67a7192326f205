"""An nsqd that cannot keep what it is given is told of."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nsq_servers import Nsqd
from worlds import Ears, Event, Host

SOON = {"heartbeat_interval": "100ms"}


@pytest.fixture
def nsqd(tmp_path: Path) -> Iterator[Nsqd]:
    """One that needs a new file for nearly every message."""
    with Nsqd(tmp_path / "nsqd", ["-mem-queue-size=0", "-sync-every=1", "-max-bytes-per-file=64"]) as server:
        yield server


async def _is_failing(host: Host) -> bool:
    state = json.loads((await host.get("/api/status"))[1])
    return ("nsqd", "failing") in [(one["name"], one["state"]) for one in state["publishers"]]


def _warned(state: str) -> Callable[[Event], bool]:
    return lambda event: (
        event["type"] == "chunter.host.warning"
        and (event["data"]["data"]["source"], event["data"]["data"]["state"]) == ("nsqd", state)
    )


async def test_an_nsqd_that_cannot_write_is_told_and_so_is_its_recovery(
    ears: Ears, new_host: Callable[..., Host], nsqd: Nsqd
) -> None:
    """Without its disk the agent's status says so, in nsqd's words; with it again both warnings come, and answers."""
    host = await new_host(settings={"nsqd_http": nsqd.http_address, **SOON}).start().ready()
    await ears.result(host.send("host.ping"))
    away = nsqd.data_path.rename(nsqd.data_path.with_name("away"))
    async with asyncio.timeout(20):
        while not await _is_failing(host):
            await asyncio.sleep(0.05)
    away.rename(nsqd.data_path)

    told = (await ears.until(_warned("failing")))["data"]["data"]
    assert "nsqd is ill" in told["message"]
    assert "NOK" in told["message"]
    await ears.until(_warned("recovered"))
    assert "succeeded" == (await ears.result(host.send("host.ping")))["status"]
