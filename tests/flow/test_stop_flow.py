"""Machines that stop by themselves are told with the cause, those that were stopped are not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from worlds import Ears, Host


async def test_a_stop_that_nobody_ordered_is_explained(ears: Ears, new_host: Callable[..., Host]) -> None:
    """Killed and halted machines are explained with evidence; stopped, rebooted and deleted ones are not."""
    host = await new_host(zones=6).start().ready()
    killed, halted, by_hand, by_command, rebooted, deleted = (
        one["uuid"] for one in json.loads(host.tool("vmadm", "lookup", "-j").stdout)
    )
    logs = host.platform / "zones" / killed / "logs"
    logs.mkdir()
    (logs / "platform.log").write_text('{"msg":"out of swap"}\nbye\n')
    while not [one for one in json.loads((await host.get("/api/status"))[1])["tools"] if "events" in one["argv"]]:
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)  # the stream has told who is there
    for argv in (
        ("vmadm", "kill", "-s", "KILL", killed), ("zoneadm", "-z", halted, "halt"), ("vmadm", "stop", by_hand, "-F"),
        ("vmadm", "delete", deleted),
    ):  # fmt: skip
        await asyncio.to_thread(host.tool, *argv)
    await ears.result(host.send("machine.stop", by_command, params={"force": True}))
    await ears.result(host.send("machine.reboot", rebooted, params={"force": True}))
    told = [
        await ears.until(lambda e, uuid=uuid: e["type"] == "chunter.zone.stopped" and e["subject"] == uuid)
        for uuid in (killed, halted)
    ]
    await asyncio.sleep(2)

    assert {killed, halted} == {e["subject"] for e in ears.of("chunter.zone.stopped")}
    assert "why" == told[0]["data"]["event"]
    assert "init_killed" == told[0]["data"]["data"]["cause"]
    says = [one["says"] for one in told[0]["data"]["data"]["evidence"]]
    assert "SIGKILL" in says[0]
    assert ["out of swap", "bye"] == says[-2:]
    await asyncio.to_thread(host.tool, "vmadm", "start", killed)
    await ears.state(killed, "running")
    assert 2 == len(ears.of("chunter.zone.stopped"))
