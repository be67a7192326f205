"""Order per machine, overlap between machines, and what operators do by hand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
from worlds import Ears, Host, new_uuid, payload


def _machines(host: Host) -> list[str]:
    return sorted(one["uuid"] for one in json.loads(host.tool("vmadm", "lookup", "-j").stdout))


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.fixture
def host(shared: Host) -> Host:
    """One for all, where it does not matter what it told at first."""
    return shared


@pytest.mark.alone
async def test_a_machine_made_by_hand_is_announced(ears: Ears, host: Host) -> None:
    """An operator's own vmadm create is told as created within two seconds, the delete as well."""
    uuid = new_uuid()
    made = await asyncio.to_thread(host.tool, "vmadm", "create", stdin=json.dumps(payload(uuid=uuid)))
    assert 0 == made.returncode, made.stderr
    began = time.monotonic()
    await ears.until(lambda event: event["type"] == "chunter.zone.created" and event["subject"] == uuid)
    assert time.monotonic() - began < 2.0
    await ears.state(uuid, "running")

    await asyncio.to_thread(host.tool, "vmadm", "delete", uuid)
    began = time.monotonic()
    await ears.until(lambda event: event["type"] == "chunter.zone.deleted" and event["subject"] == uuid)
    assert time.monotonic() - began < 2.0


async def test_order_holds_per_machine_and_machines_overlap(ears: Ears, host: Host) -> None:
    """Of commands for one machine and for others each machine's run in order, and machines side by side."""
    await _order(ears, host, machines=6, count=20)


@pytest.mark.thorough
@pytest.mark.timeout(400)
async def test_order_holds_for_a_hundred(ears: Ears, new_host: Callable[..., Host]) -> None:
    """A hundred commands for one machine and a hundred for ten others, at once."""
    host = await new_host(zones=11).start().ready()
    await _order(ears, host, machines=11, count=100)
    assert 0 == await host.stop()


async def _order(ears: Ears, host: Host, machines: int, count: int) -> None:
    one, *others = [host.machine() for _ in range(machines)]
    sent: dict[str, list[str]] = {uuid: [] for uuid in (one, *others)}
    for number in range(count):
        for uuid in (one, others[number % len(others)]):
            params = {"payload": {"alias": f"a{number}"}}
            sent[uuid].append(await asyncio.to_thread(host.send, "machine.update", uuid, params=params))

    def finals() -> list[dict[str, Any]]:
        results = [event["data"] for event in ears.of("chunter.result")]
        return [data for data in results if data["uuid"] in sent and data["status"] == "succeeded"]

    await ears.when(lambda: 2 * count <= len(finals()), 300)
    ended = {data["command"]: data for data in finals()}
    for uuid, commands in sent.items():
        assert commands == [data["command"] for data in finals() if data["uuid"] == uuid]
        for before, after in pairwise(commands):
            assert _seconds(ended[before]["finished"]) <= _seconds(ended[after]["started"])
    spans = [(_seconds(data["started"]), _seconds(data["finished"]), data["uuid"]) for data in ended.values()]
    overlaps = sum(a[0] < b[1] and b[0] < a[1] for a in spans for b in spans if a[2] == one != b[2])
    assert overlaps > 10


async def test_a_command_that_waits_can_be_cancelled(ears: Ears, host: Host) -> None:
    """command.cancel ends a queued command, which is never run; one that ended cannot be cancelled."""
    uuid = host.machine()
    host.latency(stop=1.5)
    first = host.send("machine.stop", uuid)
    second = host.send("machine.start", uuid)
    await ears.when(lambda: "accepted" in ears.statuses(second))
    planned = await ears.result(host.send("command.cancel", params={"command": second, "dry_run": True}))
    assert {"dry_run": True, "argv": [], "found": {"command": second, "was": "queued"}} == planned["result"]
    assert "cancelled" not in ears.statuses(second)
    done = await ears.result(host.send("command.cancel", params={"command": second}))

    assert {"command": second, "was": "queued"} == done["result"]
    assert "cancelled" == (await ears.result(second))["status"]
    assert "succeeded" == (await ears.result(first))["status"]
    late = await ears.result(host.send("command.cancel", params={"command": first}))
    assert "invalid_state" == late["error"]["code"]
    status = await ears.result(host.send("command.status", params={"command": first}))
    assert "succeeded" == status["result"]["status"]
    assert [] == [argv for argv in host.invocations("vmadm") if "start" in argv and uuid in argv]
    host.latency()


async def test_a_failing_tool_is_told_in_its_own_words(ears: Ears, host: Host) -> None:
    """Vmadm's refusal arrives with its argument vector, exit status and text."""
    before = _machines(host)
    wrong = payload(nics=[{"nic_tag": "nosuch", "ips": ["dhcp"]}])
    done = await ears.result(host.send("machine.create", params={"payload": wrong}))

    assert "failed" == done["status"]
    assert ["usr/sbin/vmadm", "create"] == done["error"]["details"]["argv"]
    assert 1 == done["error"]["details"]["exit_status"]
    assert 'Invalid nic tag "nosuch"' in done["error"]["message"]
    assert before == _machines(host)


async def test_an_existing_machine_survives_a_create_with_its_uuid(ears: Ears, host: Host) -> None:
    """A create with a uuid that is taken fails, and the machine that has it stays."""
    uuid = host.machine()
    done = await ears.result(host.send("machine.create", uuid, params={"payload": payload()}))

    assert ("failed", "already_exists") == (done["status"], done["error"]["code"])
    assert uuid in _machines(host)


async def test_a_changed_configuration_is_told(ears: Ears, new_host: Callable[..., Host]) -> None:
    """A change by a command and one by hand each give one update with FiFo's form of the configuration."""
    host = await new_host(zones=1).start().ready()
    uuid = host.machine()

    def told(alias: str) -> bool:
        return [alias] == [e["data"]["data"]["config"]["alias"] for e in ears.of("chunter.zone.update", uuid)][-1:]

    await ears.when(lambda: told("zone0"))
    await ears.result(host.send("machine.update", uuid, params={"payload": {"alias": "by-command"}}))
    await ears.when(lambda: told("by-command"))
    await asyncio.to_thread(host.tool, "vmadm", "update", uuid, "alias=by-hand")
    await ears.when(lambda: told("by-hand"))
    await ears.result(host.send("machine.stop", uuid, params={"force": True}))
    await ears.state(uuid, "stopped")

    aliases = [e["data"]["data"]["config"]["alias"] for e in ears.of("chunter.zone.update", uuid)]
    assert ["zone0", "by-command", "by-hand"] == list(dict.fromkeys(aliases))


async def test_a_hypervisor_tells_its_console(ears: Ears, host: Host) -> None:
    """A bhyve machine that boots is asked for its VNC address, and the answer is published."""
    uuid = new_uuid()
    disk = {"image_uuid": "cf6b54f9-2952-4213-ba84-b6f64a7ec229", "boot": True, "model": "virtio"}
    machine = {"brand": "bhyve", "alias": "b0", "ram": 512, "vcpus": 1, "disks": [disk]}
    done = await ears.result(host.send("machine.create", uuid, params={"payload": machine}))
    assert "succeeded" == done["status"], done

    told = await ears.until(lambda e: e["type"] == "chunter.zone.info" and e["subject"] == uuid)
    assert "vnc" in told["data"]["data"]
