"""The agent killed at any instant of a backup or restore: a whole backup or none, the machine new or as it was."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from backup_parts import datasets, good, holds, keys, made, on_real_zfs, run, send_delay, settings_for, tree
from nsq_servers import Nsqd
from storage_parts import dice, transfer
from trees import grow, picture
from worlds import FINAL, Ears, Host
from zfs_pool import Pool

from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import page
from chunter_nsq.storage.verify import verify_hash

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

ROUNDS = int(os.environ.get("CHUNTER_CRASH_ROUNDS", "1"))
SECONDS = 600
PATIENCE_SECONDS = 180
SLOW = {"s3_upload_chunk_size": "6MB", "backup_rate_limit": "8MB"}  # so that kills find transfers under way
BIG_BYTES = 8 * 10**6


@pytest.fixture
async def slow(tmp_path: Path, nsqd: Nsqd, zfs_pool: Pool, account: Account, request) -> AsyncIterator[Host]:
    """A host with real datasets whose transfers take their time, in several parts."""
    settings = settings_for(account) | SLOW
    async with on_real_zfs(tmp_path / "slow", nsqd, zfs_pool, settings, request.node.name) as host:
        yield host


def change(host: Host, uuid: str, chance: random.Random) -> None:
    """Other files than before, one of them large."""
    grow(tree(host, uuid), chance)
    (tree(host, uuid) / "big").write_bytes(chance.randbytes(BIG_BYTES))


async def killed(host: Host, ears: Ears, bucket: Bucket, command: str, seconds: float) -> dict:
    """Kill the agent so long after a command was accepted, start it again; how the command ended."""
    await ears.when(lambda: bool(ears.statuses(command)))
    await asyncio.sleep(seconds)  # the moment of the crash is what is tried here
    host.kill()
    under_way = not FINAL & set(ears.statuses(command))
    print(f"killed after {seconds:.2f} s, under way: {under_way}")  # noqa: T201 - beside the seed
    await asyncio.to_thread(listed_is_whole, bucket)
    await host.start().ready(60)
    return await ears.result(command, PATIENCE_SECONDS)


def listed_is_whole(bucket: Bucket) -> None:
    """What has a manifest is a backup, also while no agent lives: every byte that it names is there."""
    with transfer(bucket) as means:
        for manifest in page(bucket).manifests:
            assert all(verdict.good for verdict in verify_hash(means, manifest)), manifest.key


async def one_backup(host: Host, ears: Ears, bucket: Bucket, uuid: str, chance: random.Random) -> bool:
    """Killed while it stores an increment, the agent tells the truth: all is there and good, or nothing of it."""
    change(host, uuid, chance)
    begun = time.monotonic()
    await good(host, ears, "backup.create", uuid, PATIENCE_SECONDS, snapshot="zero")
    usual_seconds = time.monotonic() - begun
    change(host, uuid, chance)
    before = set(keys(bucket, uuid))
    command = host.send("backup.create", uuid, params={"snapshot": "one", "parent": "zero"})
    done = await killed(host, ears, bucket, command, chance.uniform(0, usual_seconds))

    assert 0 == holds(host, uuid)
    assert [] == list(bucket.uploads(f"{uuid}/"))
    added = set(keys(bucket, uuid)) - before
    if done["status"] == "succeeded":
        seen = await good(host, ears, "backup.verify", uuid, PATIENCE_SECONDS, snapshot="one", level="restore")
        assert seen["good"], seen
        assert {"one", "one.xml", "one.manifest.json"} == added
    else:
        assert set() == added, done
        assert 0 == host.tool("zfs", "list", f"zones/{uuid}@one").returncode
    return done["status"] == "succeeded"


async def one_restore(host: Host, ears: Ears, bucket: Bucket, uuid: str, chance: random.Random) -> None:
    """Killed while it restores, the machine is what it was at the backup, or what it was before; never in between."""
    folder = tree(host, uuid)
    change(host, uuid, chance)
    begun = time.monotonic()
    await good(host, ears, "backup.create", uuid, PATIENCE_SECONDS, snapshot="then")
    usual_seconds = time.monotonic() - begun
    if chance.random() < 0.7:  # else the way leads over the snapshot, not over the store
        host.tool("zfs", "destroy", f"zones/{uuid}@then")
    then = picture(folder)
    change(host, uuid, chance)
    later = picture(folder)
    command = host.send("backup.restore", uuid, params={"snapshot": "then"})
    done = await killed(host, ears, bucket, command, chance.uniform(0, 2 * usual_seconds))

    assert (then if done["status"] == "succeeded" else later) == picture(folder), done
    assert [] == [name for name in datasets(host) if "chunter-" in name]
    assert "running" == (await good(host, ears, "machine.start", uuid))["state"]


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("number", range(ROUNDS))
@pytest.mark.thorough
async def test_backups_and_restores_survive_a_kill(slow: Host, ears: Ears, bucket: Bucket, number: int):
    """At random instants, on real ZFS: a complete, verified backup or none; the machine new or as before; it boots."""
    chance = dice()
    uuid = await made(slow, ears)
    await one_backup(slow, ears, bucket, uuid, chance)
    await one_restore(slow, ears, bucket, uuid, chance)


@pytest.mark.thorough
async def test_backups_survive_a_kill_on_simulated_datasets(small: Host, ears: Ears, bucket: Bucket):
    """Also where ZFS has bookmarks and tells how long a stream will be."""
    await one_backup(small, ears, bucket, await made(small, ears), dice())


async def test_keys_that_went_with_the_agent(small: Host, ears: Ears, bucket: Bucket):
    """A backup with keys of its own ends as interrupted where the configuration has none: nothing is held."""
    store = {name: small.settings.pop(f"s3.{name}") for name in ("endpoint", "bucket", "access_key", "secret_key")}
    await small.stop()
    small.configure()
    await small.start().ready()
    uuid = await made(small, ears)
    send_delay(small, 6.0)
    command = small.send("backup.create", uuid, params={"snapshot": "one", "s3": store})
    await ears.until(lambda event: event["type"] == "chunter.backup.update")
    small.kill()
    await small.start().ready()
    done = await ears.result(command, 60)

    assert ("interrupted", "interrupted") == (done["status"], done["error"]["code"])
    assert "s3.secret_key" in done["error"]["message"]
    assert 0 == holds(small, uuid)
    assert [] == keys(bucket, uuid)
    again = await run(small, ears, "backup.create", uuid, snapshot="one", s3=store)
    assert "succeeded" == again["status"], again
