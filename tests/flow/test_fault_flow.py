"""Every way in which a tool can fail: one warning, the others go on, recovery is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sweeps import swept
from worlds import Ears, Event, Host

QUICK = {
    "update_services_interval": "400ms",
    "zpool_interval": "400ms",
    "arc_interval": "400ms",
    "metrics_interval": "400ms",
    "heartbeat_interval": "400ms",
}


FAULTS = (
    ("zpool", "zpools", ("--exit", "1", "--stderr", "cannot open 'zones': I/O error")),
    ("svcs", "services", ("--garbage",)),
    ("kstat", "metrics", ("--truncate", "700")),
    ("kstat", "arc", ("--flood", "100000000")),
    ("prtconf", "memory", ("--denied",)),
    ("zoneadm", "zones", ("--exit", "1", "--stderr", "zoneadm: internal error")),
    ("zpool", "zpools", ("--hang",)),
)


@pytest.mark.parametrize(("tool", "source", "fault"), swept(FAULTS, FAULTS[1:2]))
async def test_a_tool_that_fails_is_one_warning(
    ears: Ears, new_host: Callable[..., Host], tool: str, source: str, fault: tuple[str, ...]
) -> None:
    """The agent warns once of its publisher, heartbeats and commands go on, and the recovery is told."""
    host = await new_host(zones=1, settings=QUICK).start().ready()
    uuid = host.machine()
    await ears.when(lambda: ears.of("chunter.metric.cpu") != [] and ears.of("chunter.zpool.status") != [])
    await host.chunter("simulator", "fault", str(host.platform), tool, *fault)

    def warned(state: str) -> list[Event]:
        told = [event for event in ears.of("chunter.host.warning") if event["data"]["data"]["source"] == source]
        return [event for event in told if event["data"]["data"]["state"] == state]

    await ears.when(lambda: warned("failing") != [], 90)
    beats = len(ears.of("chunter.host.heartbeat"))
    await ears.when(lambda: len(ears.of("chunter.host.heartbeat")) >= beats + 3)
    assert "succeeded" == (await ears.result(host.send("machine.stop", uuid, params={"force": True})))["status"]
    await host.chunter("simulator", "faults", str(host.platform), "--clear")
    await ears.when(lambda: warned("recovered") != [], 90)

    assert 1 == len(warned("failing"))
    assert 1 == len(warned("recovered"))


async def test_a_snapshot_that_cannot_be_made_is_told(ears: Ears, new_host: Callable[..., Host]) -> None:
    """The command fails, and whoever follows the machine hears why."""
    host = await new_host(zones=1).start().ready()
    uuid = host.machine()
    trouble = ("--exit", "1", "--stderr", "cannot create snapshot: out of space")
    await host.chunter("simulator", "fault", str(host.platform), "zfs", "snapshot", *trouble)
    done = await ears.result(host.send("snapshot.create", uuid, params={"snapshot": "s1"}))
    assert ("failed", "insufficient_resources") == (done["status"], done["error"]["code"])
    told = await ears.until(lambda event: event["type"] == "chunter.snapshot.error" and event["subject"] == uuid)
    assert "out of space" in told["data"]["data"]["message"]
