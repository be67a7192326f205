"""Backups of hardware-virtualised machines: real volumes, real bookmarks, a real agent and its commands."""

from __future__ import annotations

import pytest
from backup_parts import datasets, holds, keys
from storage_parts import dice
from volumes import Volumes, differing, done, with_disks
from worlds import Ears, Host

from chunter_nsq.storage.bucket import Bucket


@pytest.mark.parametrize("brand", ["kvm", "bhyve"])
async def test_disks_return_block_for_block(
    backed: Host, ears: Ears, bucket: Bucket, volumes: Volumes, brand: str
) -> None:
    """Full, then increments from bookmarks, no snapshot left; the machine is deleted; each point returns whole."""
    chance = dice()
    uuid, disks = await with_disks(backed, ears, brand)
    points: dict[str, dict[str, bytes]] = {}
    parent: dict[str, str] = {}
    for name in ("full", "one", "two"):
        points[name] = {disk: await volumes.scribble(disk, chance, 200) for disk in disks}
        made = await done(backed, ears, "backup.create", uuid, snapshot=name, delete="snapshot", **parent)
        assert {f"{uuid}/{name}{ending}" for ending in ("", "-disk0", "-disk1", ".xml")} == set(made["files"])
        assert [] == _snapshots(backed, uuid)
        parent = {"parent": name}
    bases = [argv[argv.index("-i") + 1] for argv in backed.invocations("zfs") if argv[1:2] == ["send"] and "-i" in argv]
    assert {disk for disk in disks if any(base.startswith(f"{disk}#chunter-") for base in bases)} == set(disks)
    assert not any("@" in base for base in bases)
    changed = {disk: differing(points["full"][disk], points["two"][disk]) for disk in disks}
    assert all(changed.values())

    await done(backed, ears, "machine.delete", uuid)
    assert [] == [one for one in datasets(backed) if uuid in one]
    for name in ("two", "full", "one"):
        back = await done(backed, ears, "backup.restore", uuid, snapshot=name)
        assert name == back["path"][-1]["snapshot"]
        found = {disk: differing(points[name][disk], await volumes.content(disk)) for disk in disks}
        assert {disk: [] for disk in disks} == found, name
        assert [] == [one for one in datasets(backed) if "chunter-" in one]
    assert 0 == holds(backed, uuid)
    assert "running" == (await done(backed, ears, "machine.start", uuid))["state"]
    for level in ("hash", "stream", "restore"):
        seen = await done(backed, ears, "backup.verify", uuid, snapshot="two", level=level)
        assert seen["good"], (level, seen)
    assert 3 * 5 == len(keys(bucket, uuid))


def _snapshots(host: Host, uuid: str) -> list[str]:
    """The snapshots of a machine and its disks."""
    names = host.tool("zfs", "list", "-H", "-o", "name", "-t", "snapshot").stdout.split()
    return [name for name in names if uuid in name]
