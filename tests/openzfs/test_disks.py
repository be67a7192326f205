"""Backups of hardware-virtualised machines: real volumes, real bookmarks, a real agent and its commands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from backup_parts import datasets, good, holds, keys, on_real_zfs
from nsq_servers import Nsqd
from storage_parts import dice
from volumes import Volumes, differing
from worlds import Ears, Host, new_uuid
from zfs_pool import Pool

from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from tools.demo.store import settings as settings_for

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

IMAGES = {"kvm": "462d1d03-8457-e134-a408-cf9ea2b9be96", "bhyve": "cf6b54f9-2952-4213-ba84-b6f64a7ec229"}
# To start a program takes an emulated processor a second: nothing is looked at but what commands ask for.
LOOKS = ("zonemon", "update_services", "zpool", "arc", "metrics", "announce")
CALM = {f"{name}_interval": "1h" for name in LOOKS}


@pytest.fixture
async def ears(nsqd: Nsqd) -> AsyncIterator[Ears]:
    """Ears on results, and nothing else."""
    async with Ears(nsqd, "chunter.result") as listening:
        yield listening


@pytest.fixture
async def calm(tmp_path: Path, nsqd: Nsqd, zfs_pool: Pool, account: Account, packing: str) -> AsyncIterator[Host]:
    """A host with real datasets, a store, and an agent that packs streams so."""
    settings = settings_for(account) | CALM | {"backup_compression": packing}
    async with on_real_zfs(tmp_path / "calm", nsqd, zfs_pool, settings, packing) as host:
        yield host


@pytest.mark.parametrize(("brand", "packing"), [("kvm", "auto"), ("bhyve", "zfs")])
async def test_disks_return_block_for_block(ears: Ears, calm: Host, bucket: Bucket, brand: str, packing: str) -> None:
    """A full backup, an increment from bookmarks, no snapshot left, the machine deleted: all blocks of each return."""
    chance, volumes = dice(), Volumes(calm.base)
    uuid, disks = await _with_disks(calm, ears, brand)
    points: dict[str, dict[str, bytes]] = {}
    parent: dict[str, str] = {}
    for name in ("full", "more"):
        points[name] = {disk: await volumes.scribble(disk, chance, 200) for disk in disks}
        made = await good(calm, ears, "backup.create", uuid, snapshot=name, delete="snapshot", **parent)
        assert {f"{uuid}/{name}{ending}" for ending in ("", "-disk0", "-disk1", ".xml")} == set(made["files"])
        assert [] == _named(calm, uuid, "snapshot")
        parent = {"parent": name}
    sends = [argv for argv in calm.invocations("zfs") if argv[1:2] == ["send"]]
    bases = [argv[-2] for argv in sends if "-i" in argv]
    assert {f"zones/{uuid}", *disks} == {base.partition("#chunter-")[0] for base in bases}
    assert {packing == "zfs"} == {"-c" in argv for argv in sends}
    assert all(differing(points["full"][disk], points["more"][disk]) for disk in disks)

    await good(calm, ears, "machine.delete", uuid)
    assert [] == [one for one in datasets(calm) if uuid in one]
    for name in ("more", "full"):
        back = await good(calm, ears, "backup.restore", uuid, snapshot=name)
        assert name == back["path"][-1]["snapshot"]
        found = {disk: differing(points[name][disk], await volumes.content(disk)) for disk in disks}
        assert {disk: [] for disk in disks} == found, name
        assert [] == [one for one in datasets(calm) if "chunter-" in one]
    assert 0 == holds(calm, uuid)
    assert "running" == (await good(calm, ears, "machine.start", uuid))["state"]
    seen = await good(calm, ears, "backup.verify", uuid, snapshot="more", level="restore")
    assert seen["good"], seen
    assert 2 * 5 == len(keys(bucket, uuid))


@pytest.mark.parametrize("packing", ["auto"])
async def test_a_bookmark_goes_with_its_backup(ears: Ears, calm: Host, bucket: Bucket) -> None:
    """Of what is deleted or pruned no bookmark stays on any disk; from those that stay the next increment is made."""
    uuid, disks = await _with_disks(calm, ears, "bhyve")
    marks: dict[str, set[str]] = {}
    for name, parent in (("old", {}), ("full", {}), ("more", {"parent": "full"})):
        await good(calm, ears, "backup.create", uuid, snapshot=name, delete="snapshot", **parent)
        guids = json.loads(bucket.get(f"{uuid}/{name}.manifest.json"))["snapshot"]["guids"]
        marks[name] = {f"{dataset}#chunter-{guid}" for dataset, guid in guids.items()}
        assert {f"zones/{uuid}", *disks} == set(guids)
    assert marks["old"] | marks["full"] | marks["more"] == set(_named(calm, uuid, "bookmark"))

    await good(calm, ears, "backup.delete", uuid, snapshot="more", where="both")
    assert marks["old"] | marks["full"] == set(_named(calm, uuid, "bookmark"))
    await good(calm, ears, "backup.prune", uuid, keep={"last": 1})
    assert marks["full"] == set(_named(calm, uuid, "bookmark"))

    chance, volumes = dice(), Volumes(calm.base)
    expected = {disk: await volumes.scribble(disk, chance, 50) for disk in disks}
    await good(calm, ears, "backup.create", uuid, snapshot="next", parent="full", delete="snapshot")
    assert all([differing(expected[disk], await volumes.scribble(disk, chance, 50)) for disk in disks])
    back = await good(calm, ears, "backup.restore", uuid, snapshot="next")
    assert ["full", "next"] == [step["snapshot"] for step in back["path"]]
    assert {disk: [] for disk in disks} == {
        disk: differing(expected[disk], await volumes.content(disk)) for disk in disks
    }


async def _with_disks(host: Host, ears: Ears, brand: str) -> tuple[str, list[str]]:
    """A stopped machine with two disks, the first of an image; its uuid, and the volumes as the host calls them."""
    wanted: dict[str, Any] = {
        "brand": brand, "alias": "disks", "ram": 256, "autoboot": False, "nics": [],
        "disks": [
            {"image_uuid": IMAGES[brand], "boot": True, "model": "virtio"},
            {"size": 24, "model": "virtio", "compression": "lz4"},
        ],
    }  # fmt: skip
    uuid = new_uuid()
    await good(host, ears, "machine.create", uuid, payload=wanted, start=False)
    between = "-" if brand == "kvm" else "/"
    return uuid, [f"zones/{uuid}{between}disk{number}" for number in (0, 1)]


def _named(host: Host, uuid: str, kind: str) -> list[str]:
    """The snapshots or bookmarks of a machine and its disks."""
    names = host.tool("zfs", "list", "-H", "-o", "name", "-t", kind).stdout.split()
    return [name for name in names if uuid in name]
