"""A machine is lost and comes back to every point of its chain: real agent, real ZFS, real store."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest
from backup_parts import datasets, good, guid, made, tree
from storage_parts import dice
from trees import differences, grow, picture
from worlds import Ears, Host

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

ROUNDS = int(os.environ.get("CHUNTER_RESTORE_ROUNDS", "1"))
SECONDS = 1200
NAMES = ("full", "one", "two", "three", "four", "five")
SAME = ("alias", "brand", "quota", "max_physical_memory", "nics", "zfs_filesystem", "datasets", "state", "autoboot")


class Point(NamedTuple):
    """What a machine was when it was backed up: a copy of its files, their rights, the GUIDs of its snapshots."""

    copy: Path
    picture: dict[str, str]
    guids: dict[str, str]


def mine(host: Host, uuid: str) -> list[str]:
    """A machine's datasets."""
    return [name for name in datasets(host) if uuid in name]


async def chain(host: Host, ears: Ears, uuid: str, chance: random.Random, place: Path) -> dict[str, Point]:
    """One full backup and five increments, the files changed before each."""
    points, parent = {}, None
    for name in NAMES:
        grow(tree(host, uuid), chance)
        await good(host, ears, "backup.create", uuid, snapshot=name, **({"parent": parent} if parent else {}))
        copy = shutil.copytree(tree(host, uuid), place / name, symlinks=True)
        guids = {each: guid(host, f"{each}@{name}") for each in mine(host, uuid)}
        points[name] = Point(copy, picture(tree(host, uuid)), guids)
        parent = name
    return points


async def came_back(host: Host, ears: Ears, uuid: str, name: str, point: Point) -> None:
    """Restore a point; the machine is what it was then, and boots."""
    done = await good(host, ears, "backup.restore", uuid, snapshot=name)
    assert name == done["path"][-1]["snapshot"]
    assert "" == differences(point.copy, tree(host, uuid)), name
    assert point.picture == picture(tree(host, uuid)), name
    assert point.guids == {each: guid(host, f"{each}@{name}") for each in mine(host, uuid)}, name
    assert [] == [each for each in datasets(host) if "chunter-" in each]
    assert "running" == (await good(host, ears, "machine.start", uuid))["state"]
    assert "stopped" == (await good(host, ears, "machine.stop", uuid, force=True))["state"]


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.thorough
async def test_every_point_comes_back(backed: Host, ears: Ears, tmp_path: Path, number: int):
    """The machine is destroyed; each point of full and five increments returns, to the byte and the GUID, and boots."""
    chance = dice()
    uuid = await made(backed, ears, quota=1, delegate_dataset=chance.random() < 0.5)
    before = json.loads(backed.tool("vmadm", "get", uuid).stdout)
    points = await chain(backed, ears, uuid, chance, tmp_path / "points")
    await good(backed, ears, "machine.delete", uuid)
    assert ([], False) == (mine(backed, uuid), (backed.platform / "etc/zones" / f"{uuid}.xml").exists())
    order = chance.sample(NAMES, len(NAMES))
    print(f"order {order}")  # noqa: T201 - beside the seed
    for name in order:
        await came_back(backed, ears, uuid, name, points[name])
        if chance.random() < 0.3:
            await good(backed, ears, "machine.delete", uuid)
    if mine(backed, uuid):
        after = json.loads(backed.tool("vmadm", "get", uuid).stdout)
        assert {each: before.get(each) for each in SAME} == {each: after.get(each) for each in SAME}
    await ears.when(lambda: len(order) == len(ears.of("chunter.backup.restored", uuid)))
    told = [event["data"]["data"] for event in ears.of("chunter.backup.restored", uuid)]
    assert [("restored", name) for name in order] == [(one["action"], one["uuid"]) for one in told]
