"""Crashes of the agent while a docker image comes: one end is told, a true one, and nothing half-made stays."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from sweeps import swept
from worlds import FINAL, Ears, Host, new_uuid

NAME = "redis:7"
LAYERS = 3
CONTAINER = {
    "package": {"uuid": "4769a8f9-de51-4c1e-885f-c3920cc68137", "ram": 512, "quota": 10, "cpu_cap": 100},
    "dataset": {"docker": NAME},
    "config": {"alias": "redis0", "networks": {"net0": {"nic_tag": "admin", "ip": "dhcp"}}},
}
WAYS = {"image.import": {"image": NAME}, "machine.create": CONTAINER}


def _datasets(host: Host) -> set[str]:
    return set(host.tool("zfs", "list", "-H", "-o", "name").stdout.split())


def _partial(host: Host) -> set[str]:
    return {name for name in _datasets(host) if "partial" in name}


def _is_begun(host: Host) -> bool:
    """There is half an image, and the agent has noted it."""
    with closing(sqlite3.connect(host.root / "var" / "chunter.db")) as journal:
        noted = "".join(value for (value,) in journal.execute("SELECT value FROM notes WHERE space = 'backup'"))
    return any(name in noted for name in _partial(host))


async def _killed_half_way(
    ears: Ears, host: Host, action: str, *, with_tools: bool = True, **members: Any
) -> tuple[str, str | None]:
    """A command that was killed with its agent while its image was being installed; the uuid of its machine, if any."""
    host.tool("imgadm", "sources", "--add-docker-hub")
    file = host.platform / "var" / "simulator" / "latency.json"
    file.write_text(json.dumps({"imgadm import": 2.0}))
    await host.start().ready()
    uuid = new_uuid() if action == "machine.create" else None
    command = host.send(action, uuid, params=WAYS[action], **members)
    await ears.when(lambda: "accepted" in ears.statuses(command))
    while not await asyncio.to_thread(_is_begun, host):
        await asyncio.sleep(0.05)
    host.kill()
    if with_tools:
        host.kill_tools()
        assert _partial(host)
    file.write_text("{}")
    return command, uuid


async def _only_end(ears: Ears, host: Host, command: str) -> dict[str, Any]:
    """The end of a command, which is told once and leaves neither half an image nor the host lock."""
    done = await ears.result(command, 60)
    planned = await ears.result(host.send("machine.create", params={**CONTAINER, "dry_run": True}))
    told = [e for e in ears.heard if e["data"].get("command") == command and e["data"]["status"] in FINAL]
    assert 1 == len({event["id"] for event in told})
    assert planned["result"]["found"]["lock"] is None
    assert set() == _partial(host)
    return done


@pytest.mark.parametrize("action", swept(WAYS, ["machine.create"]))
@pytest.mark.parametrize("with_tools", swept([False, True], [True]), ids=["agent", "agent and tools"])
async def test_a_kill_while_a_docker_image_comes(
    ears: Ears, new_host: Callable[..., Host], action: str, *, with_tools: bool
) -> None:
    """The next agent brings the image that the name means, all its layers, and the machine where one was wanted."""
    host = new_host()
    command, uuid = await _killed_half_way(ears, host, action, with_tools=with_tools)
    await host.start().ready()
    done = await _only_end(ears, host, command)

    assert "succeeded" == done["status"], done
    images = {one["manifest"]["uuid"]: one["manifest"] for one in json.loads(host.tool("imgadm", "list", "-j").stdout)}
    (tagged,) = (one for one, manifest in images.items() if "docker:tag:7" in manifest.get("tags", {}))
    assert LAYERS == sum(manifest["type"] == "docker" for manifest in images.values())
    if uuid is None:
        assert tagged == done["result"]["image"]["uuid"]
    else:
        assert tagged == json.loads(host.tool("vmadm", "get", uuid).stdout)["image_uuid"]


@pytest.mark.parametrize("action", swept(WAYS, ["image.import"]))
async def test_an_image_that_cannot_be_had_after_a_kill(ears: Ears, new_host: Callable[..., Host], action: str) -> None:
    """When the registry is gone meanwhile it is not found, and what there was of it goes all the same."""
    host = new_host()
    before = _datasets(host)
    command, _ = await _killed_half_way(ears, host, action)
    host.tool("imgadm", "sources", "-d", "https://docker.io")
    await host.start().ready()
    done = await _only_end(ears, host, command)

    assert "not_found" == done["error"]["code"]
    assert before == _datasets(host)


async def test_an_import_that_the_next_agent_does_not_know(ears: Ears, new_host: Callable[..., Host]) -> None:
    """It is interrupted, and what there was of the image goes although nobody imports it again."""
    host = new_host()
    before = _datasets(host)
    command, _ = await _killed_half_way(ears, host, "image.import")
    with closing(sqlite3.connect(host.root / "var" / "chunter.db")) as journal, journal:
        journal.execute("UPDATE commands SET action = 'image.teleport'")
    await host.start().ready()

    assert "interrupted" == (await ears.result(command))["status"]
    while before != await asyncio.to_thread(_datasets, host):
        await asyncio.sleep(0.1)
