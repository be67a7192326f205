"""The agent killed at any instant of a backup or restore: a whole backup or none, the machine new or as it was."""

from __future__ import annotations

import asyncio
import os
import random

import pytest
from backup_parts import datasets, good, grow, holds, keys, made, picture, run, send_delay, tree
from storage_parts import dice
from worlds import Ears, Host

from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

ROUNDS = int(os.environ.get("CHUNTER_CRASH_ROUNDS", "1"))


async def killed(host: Host, ears: Ears, command: str, chance: random.Random, most_seconds: float) -> dict:
    """Kill the agent some time after a command was accepted, start it again; how the command ended."""
    await ears.when(lambda: bool(ears.statuses(command)))
    await asyncio.sleep(chance.uniform(0, most_seconds))  # the moment of the crash is what is tried here
    host.kill()
    await host.start().ready()
    return await ears.result(command, 60)


async def one_backup(host: Host, ears: Ears, bucket: Bucket, chance: random.Random) -> None:
    """Killed while it backs up, the agent tells the truth: all of it is there and good, or nothing."""
    uuid = await made(host, ears)
    grow(tree(host, uuid), chance)
    command = host.send("backup.create", uuid, params={"snapshot": "one"})
    done = await killed(host, ears, command, chance, 1.5)

    assert 0 == holds(host, uuid)
    assert [] == list(bucket.uploads(f"{uuid}/"))
    if done["status"] == "succeeded":
        seen = await good(host, ears, "backup.verify", uuid, snapshot="one", level="restore")
        assert seen["good"], seen
        assert {"one", "one.xml", "one.manifest.json"} == set(keys(bucket, uuid))
    else:
        assert [] == keys(bucket, uuid), done
        assert 0 == host.tool("zfs", "list", f"zones/{uuid}@one").returncode


async def one_restore(host: Host, ears: Ears, chance: random.Random) -> None:
    """Killed while it restores, the machine is what it was at the backup, or what it was before; never in between."""
    uuid = await made(host, ears)
    folder = tree(host, uuid)
    grow(folder, chance)
    await good(host, ears, "backup.create", uuid, snapshot="one", delete="snapshot")
    then = picture(folder)
    grow(folder, chance)
    later = picture(folder)
    command = host.send("backup.restore", uuid, params={"snapshot": "one"})
    done = await killed(host, ears, command, chance, 2.5)

    assert (then if done["status"] == "succeeded" else later) == picture(folder), done
    assert [] == [name for name in datasets(host) if "chunter-" in name]
    assert "running" == (await good(host, ears, "machine.start", uuid))["state"]


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_backups_survive_a_kill(small: Host, ears: Ears, bucket: Bucket, number: int):
    """At a random instant: a complete, verified backup or none, no hold, no upload left, the snapshot still there."""
    await one_backup(small, ears, bucket, dice())


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_restores_survive_a_kill(small: Host, ears: Ears, number: int):
    """At a random instant: the machine as it was at the backup or as it was before, and it boots."""
    await one_restore(small, ears, dice())


async def test_on_real_datasets(backed: Host, ears: Ears, bucket: Bucket):
    """The same on real ZFS, once each."""
    chance = dice()
    await one_backup(backed, ears, bucket, chance)
    await one_restore(backed, ears, chance)


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
