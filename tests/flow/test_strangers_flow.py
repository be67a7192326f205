"""Whoever reads a host's commands beside its agent is told of."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

from bus_parts import Inbox, connection, consuming
from worlds import Ears, Event, Host

SOON = {"heartbeat_interval": "100ms"}


def warned(state: str) -> Callable[[Event], bool]:
    """Whether an event is the channel's warning of that state."""
    return lambda event: (
        event["type"] == "chunter.host.warning"
        and (event["data"]["data"]["source"], event["data"]["data"]["state"]) == ("channel", state)
    )


async def test_a_program_on_the_channel_is_told_with_its_name(ears: Ears, new_host: Callable[..., Host], nsqd) -> None:
    """It is an event, a figure and part of the status as long as it reads, and an event when it has gone."""
    host = await new_host(settings={"nsqd_http": nsqd.http_address, **SOON}).start().ready()
    taker = connection(nsqd, user_agent="nsq_tail/1", hostname="curious")
    async with consuming(taker, host.topic, Inbox().accept, channel=host.id):
        told = (await ears.until(warned("foreign")))["data"]["data"]
        assert [("curious", "nsq_tail/1", host.topic, nsqd.http_address)] == [
            (one["hostname"], one["user_agent"], one["topic"], one["nsqd"]) for one in told["clients"]
        ]
        state = json.loads((await host.get("/api/status"))[1])
        assert ["curious"] == [one["hostname"] for one in state["foreign_clients"]]
        assert b"chunter_foreign_clients 1.0" in (await host.get("/metrics"))[1]
    assert [] == (await ears.until(warned("recovered")))["data"]["data"]["clients"]


async def test_a_second_agent_with_the_same_id_is_told(ears: Ears, new_host: Callable[..., Host], nsqd) -> None:
    """A copied etc/hostid shows, although both have the same name."""
    first = await new_host(settings={"nsqd_http": nsqd.http_address, **SOON}).start().ready()
    second = new_host(settings=SOON)
    shutil.copy(first.root / "etc" / "hostid", second.root / "etc" / "hostid")
    await second.start().ready()
    told = (await ears.until(warned("foreign")))["data"]["data"]
    assert {first.id} == {one["hostname"] for one in told["clients"]}
