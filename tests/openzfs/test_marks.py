"""The bookmarks that backups leave on a machine's datasets, where ZFS has bookmarks."""

from __future__ import annotations

import pytest
from storage_parts import dice, manifest
from stream_parts import received, sent
from volumes import Volumes, differing
from zfs_pool import Pool, command

from chunter_nsq.backup import plan, thinning
from chunter_nsq.smartos.runner import Runner
from chunter_nsq.smartos.zfs import Zfs
from chunter_nsq.smartos.zfs_datasets import ZfsDatasets
from chunter_nsq.smartos.zfs_streams import ZfsStreams
from chunter_nsq.storage.manifest import Manifest, Snapshot

pytest_plugins = ("zfs_pool", "stream_parts")


@pytest.fixture
def machine(zfs_pool: Pool) -> list[str]:
    """A root, a disk below it and one beside it."""
    root = zfs_pool.new("machine")
    disks = [f"{root}/disk0", f"{root}-disk1"]
    for disk in disks:
        command("zfs", "create", "-s", "-V", "16M", disk)
    return [root, *disks]


def backup(pool: Pool, machine: list[str], short: str) -> Manifest:
    """Snapshots, and what the store would know of them."""
    names = {dataset: f"{dataset}@{short}" for dataset in machine}
    command("zfs", "snapshot", *names.values())
    return manifest(snapshot=Snapshot(short, {dataset: str(pool.guid(name)) for dataset, name in names.items()}))


def marks(*backups: Manifest) -> set[str]:
    """The names of all bookmarks that stand for backups."""
    return {f"{dataset}#chunter-{guid}" for one in backups for dataset, guid in one.snapshot.guids.items()}


def listed(pool: Pool, kind: str) -> set[str]:
    """What ZFS has of a kind."""
    return set(command("zfs", "list", "-H", "-o", "name", "-t", kind, "-r", pool.name).split())


async def test_a_bookmark_stays_as_long_as_its_backup(
    zfs_pool: Pool, streams: ZfsStreams, datasets: ZfsDatasets, runner: Runner, machine: list[str]
) -> None:
    """Of backups that are gone no bookmark stays on any dataset; those of others carry the next increment."""
    chance, volumes = dice(), Volumes(zfs_pool.name)
    backups = []
    for short in ("a", "b", "c"):
        for disk in machine[1:]:
            await volumes.scribble(disk, chance, 50)
        backups.append(backup(zfs_pool, machine, short))
        if short == "b":
            stored = {dataset: await sent(streams, f"{dataset}@b") for dataset in machine}
        await thinning.destroy(Zfs(runner), streams, [f"{dataset}@{short}" for dataset in machine], mark=True)
    assert (marks(*backups), set()) == (listed(zfs_pool, "bookmark"), listed(zfs_pool, "snapshot"))

    first, second, third = backups
    assert marks(first, third) == set(await thinning.marks(streams, [first, third]))
    await thinning.unmark(streams, [third, first])
    assert marks(second) == listed(zfs_pool, "bookmark")

    expected = {disk: await volumes.scribble(disk, chance, 50) for disk in machine[1:]}
    backup(zfs_pool, machine, "next")
    for dataset, base in (await plan.bases(streams, datasets, second, machine, ())).items():
        copy = dataset.replace("machine", "copy")
        await received(streams, copy, stored[dataset])
        await received(streams, copy, await sent(streams, f"{dataset}@next", base))
        if dataset in expected:
            assert [] == differing(expected[dataset], await volumes.content(copy))
    assert marks(second) == listed(zfs_pool, "bookmark")
