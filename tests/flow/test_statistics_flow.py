"""What a host tells of itself beside its zones, end to end; each event is held to its shape by the ears."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from worlds import Ears, Event, Host

QUICK = {
    "update_services_interval": "400ms",
    "zpool_interval": "400ms",
    "arc_interval": "400ms",
    "metrics_interval": "400ms",
    "snapshot_update_interval": "1s",
}


def _services(event: Event) -> dict[str, Any]:
    data: dict[str, Any] = event["data"]["changes"]
    return data


async def test_services_are_told_whole_and_then_by_what_changes(ears: Ears, new_host: Callable[..., Host]) -> None:
    """The first pass is a snapshot of each zone; later a change by hand is told with its old and new state."""
    host = await new_host(zones=1, settings=QUICK).start().ready()
    uuid = host.machine()
    first = await ears.until(lambda e: e["type"] == "chunter.service.changed" and e["subject"] == uuid)
    await ears.until(lambda e: e["type"] == "chunter.service.changed" and e["subject"] == host.id)
    assert {"none"} == {entry["old"] for entry in _services(first).values()}
    assert {"part": 1, "of": 1} == first["data"]["snapshot"]

    fmri = next(name for name, state in first["data"]["data"].items() if state == "online" and name.startswith("svc:"))
    done = await asyncio.to_thread(host.tool, "svcadm", "-z", uuid, "disable", fmri)
    assert 0 == done.returncode, done.stderr
    changed = await ears.until(
        lambda e: e["type"] == "chunter.service.changed" and e["data"]["data"].get(fmri) == "disabled"
    )
    assert ("online", "disabled") == (_services(changed)[fmri]["old"], _services(changed)[fmri]["new"])
    await asyncio.to_thread(host.tool, "svcadm", "-z", uuid, "mark", "-I", "maintenance", fmri)
    broken = await ears.until(lambda e: fmri in e["data"].get("attention", ()))
    assert "maintenance" == broken["data"]["data"][fmri]


async def test_pools_arc_and_metrics_are_told(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Pool figures, ARC statistics and each kind of metric arrive, rates from the second reading on."""
    host = await new_host(zones=1, settings=QUICK).start().ready()
    uuid = host.machine()
    pool = await ears.until(lambda e: e["type"] == "chunter.zpool.status")
    assert "ONLINE" == pool["data"]["data"]["zones"]["health"]
    arc = await ears.until(lambda e: e["type"] == "chunter.arc.stats" and e["data"]["data"]["hit_rate"] is not None)
    assert 0 <= arc["data"]["data"]["hit_rate"] <= 100
    for kind in ("cpu", "memstat", "net", "vfs"):
        await ears.until(
            lambda e, kind=kind: e["type"] == f"chunter.metric.{kind}" and e["subject"] == f"{uuid}-metrics"
        )
    processors = await ears.until(lambda e: e["type"] == "chunter.metric.mpstat")
    assert f"{host.id}-metrics" == processors["subject"]
    rated = await ears.until(lambda e: e["type"] == "chunter.metric.cpu" and "rates" in e["data"]["data"])
    assert all(rate >= 0 for rate in rated["data"]["data"]["rates"].values())


async def test_snapshots_made_by_hand_are_told(ears: Ears, new_host: Callable[..., Host]) -> None:
    """A snapshot that an operator makes appears with its size, and its end is told as well."""
    host = await new_host(zones=1, settings=QUICK).start().ready()
    uuid = host.machine()
    await asyncio.to_thread(host.tool, "zfs", "snapshot", f"zones/{uuid}@mine")
    await ears.until(lambda e: e["type"] == "chunter.snapshot.sizes" and "mine" in e["data"]["data"]["data"])
    await asyncio.to_thread(host.tool, "zfs", "destroy", f"zones/{uuid}@mine")
    await ears.until(lambda e: e["type"] == "chunter.snapshot.sizes" and "mine" in e["data"]["data"]["removed"])


async def test_a_failing_tool_is_one_warning_and_others_go_on(ears: Ears, new_host: Callable[..., Host]) -> None:
    """While zpool fails there is one warning, zones go on being told, and its recovery is told."""
    host = await new_host(zones=1, settings=QUICK).start().ready()
    uuid = host.machine()
    await ears.until(lambda e: e["type"] == "chunter.zpool.status")
    trouble = "internal error: out of luck"
    await host.chunter("simulator", "fault", str(host.platform), "zpool", "--exit", "1", "--stderr", trouble)

    def warned(state: str) -> list[Event]:
        return [
            event
            for event in ears.of("chunter.host.warning")
            if (event["data"]["data"]["source"], event["data"]["data"]["state"]) == ("zpools", state)
        ]

    await ears.when(lambda: warned("failing") != [])
    assert "out of luck" in json.dumps(warned("failing")[0])
    await ears.result(host.send("machine.stop", uuid, params={"force": True}))
    await ears.state(uuid, "stopped")
    await host.chunter("simulator", "faults", str(host.platform), "--clear")
    await ears.when(lambda: warned("recovered") != [])
    assert 1 == len(warned("failing"))
