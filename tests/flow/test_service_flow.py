"""Services of machines and of the host, by command."""

from __future__ import annotations

import asyncio
import json

import pytest
from worlds import Ears, Host, new_uuid

from chunter_nsq.smartos.simulator.smf import hand

SSH = "svc:/network/ssh:default"
CRON = "svc:/system/cron:default"


@pytest.fixture
def host(shared: Host) -> Host:
    """One for all that may do something."""
    return shared


async def _state(ears: Ears, host: Host, verb: str, uuid: str | None, service: str) -> str:
    done = await ears.result(host.send(f"service.{verb}", uuid, params={"service": service}))
    assert "succeeded" == done["status"], done
    return done["result"]["state"]


async def test_services_go_where_they_are_asked_to(ears: Ears, host: Host) -> None:
    """disable, enable, restart, refresh and clear each end with the state reached, in a zone and on the host."""
    uuid = host.machine()
    file = host.platform / "var" / "simulator" / "latency.json"
    file.write_text(json.dumps({"smf start": 0.6, "smf stop": 0.4}))
    for zone in (uuid, None):
        assert "disabled" == await _state(ears, host, "disable", zone, CRON)
        assert "online" == await _state(ears, host, "enable", zone, "system/cron")
        assert "online" == await _state(ears, host, "restart", zone, CRON)
        assert "online" == await _state(ears, host, "refresh", zone, SSH)
    await asyncio.to_thread(host.tool, "svcadm", "-z", uuid, "mark", "-I", "maintenance", SSH)
    assert "online" == await _state(ears, host, "clear", uuid, SSH)
    assert host.tool("svcs", "-H", "-z", uuid, "-o", "state", SSH).stdout.split() == ["online"]
    file.write_text("{}")


async def test_what_cannot_be_done_is_told(ears: Ears, host: Host) -> None:
    """A failing service, an unknown one, a machine that does not run or is not there: each has its own error."""
    uuid, stopped = host.machine(), host.machine()
    hand.lay(str(host.platform), uuid, CRON, "failing")
    hand.lay(str(host.platform), uuid, CRON, "disabled")
    await asyncio.to_thread(host.tool, "vmadm", "stop", stopped, "-F")
    wanted = {
        host.send("service.enable", uuid, params={"service": CRON}): "invalid_state",
        host.send("service.clear", uuid, params={"service": SSH}): "invalid_state",
        host.send("service.enable", uuid, params={"service": "nosuch"}): "not_found",
        host.send("service.enable", new_uuid(), params={"service": SSH}): "not_found",
        host.send("service.enable", stopped, params={"service": SSH}): "invalid_state",
        host.send("service.enable", uuid, params={"service": "a b"}): "invalid_message",
    }
    codes = [(await ears.result(command))["error"]["code"] for command in wanted]

    assert list(wanted.values()) == codes
    planned = await ears.result(host.send("service.disable", uuid, params={"service": SSH, "dry_run": True}))
    assert [["usr/sbin/svcadm", "-z", uuid, "disable", SSH]] == planned["result"]["argv"]
    assert {"service": SSH, "state": "online"} == planned["result"]["found"]
