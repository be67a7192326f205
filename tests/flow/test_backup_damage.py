"""Backups that are damaged on their way or where they lie: found, named, and never let near a machine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from backup_parts import datasets, good, guid, holds, keys, made, on_real_zfs, run, settings_for, tree
from nsq_servers import Nsqd
from s3_proxy import FaultProxy
from storage_parts import dice
from trees import grow, picture, seeded
from worlds import Ears, Host
from zfs_pool import Pool

from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import load
from chunter_nsq.storage.manifest import manifest_key

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

PARTS = {"s3_upload_chunk_size": "6MB", "backup_memory": "32MB"}
BIG_BYTES = 14 * 10**6  # three such parts
HUGE_BYTES = 50 * 10**6  # more than is ever held in memory


@pytest.fixture
async def parted(
    tmp_path: Path, nsqd: Nsqd, zfs_pool: Pool, account: Account, proxy: FaultProxy, request
) -> AsyncIterator[Host]:
    """A host with real datasets whose streams go in several parts, and whose store is behind the proxy."""
    settings = settings_for(account) | PARTS | {"s3.endpoint": proxy.endpoint}
    async with on_real_zfs(tmp_path / "parted", nsqd, zfs_pool, settings, request.node.name) as host:
        yield host


async def filled(host: Host, ears: Ears, seed: int, size_bytes: int = BIG_BYTES) -> str:
    """A machine with a large file and some small ones."""
    uuid = await made(host, ears)
    grow(tree(host, uuid), seeded(seed))
    (tree(host, uuid) / "big").write_bytes(seeded(seed).randbytes(size_bytes))
    return uuid


@contextmanager
def flipped(bucket: Bucket, key: str, place: int, bit: int) -> Iterator[None]:
    """Within it one bit of an object is another one."""
    kept = bucket.get(key)
    turned = bytearray(kept)
    turned[place] ^= 1 << bit
    bucket.put(key, bytes(turned))
    yield
    bucket.put(key, kept)


@pytest.mark.thorough
async def test_a_bit_flipped_in_any_part(parted: Host, ears: Ears, bucket: Bucket):
    """Every part of every file: verification finds the very one, a restore refuses it, the machine is untouched."""
    chance = dice()
    uuid = await filled(parted, ears, 1)
    await good(parted, ears, "backup.create", uuid, snapshot="one")
    parted.tool("zfs", "destroy", f"zones/{uuid}@one")
    parted.tool("zfs", "snapshot", f"zones/{uuid}@mine")
    before = picture(tree(parted, uuid)), guid(parted, f"zones/{uuid}@mine"), datasets(parted)
    tried = 0
    for file in load(bucket, manifest_key(uuid, "one")).files:
        first = 0
        for number, part in enumerate(file.parts, start=1):
            place, first = first + chance.randrange(part.size), first + part.size
            with flipped(bucket, file.key, place, chance.randrange(8)):
                seen = await good(parted, ears, "backup.verify", uuid, snapshot="one", level="hash")
                done = await run(parted, ears, "backup.restore", uuid, snapshot="one")
            found = [
                (key, fault["code"], fault["details"]["part"]) for key in seen["files"] for fault in seen["files"][key]
            ]
            assert [(file.key, "checksum_mismatch", number)] == found
            assert ("failed", "checksum_mismatch") == (done["status"], done["error"]["code"]), done
            assert (file.key, number) == (done["error"]["details"]["key"], done["error"]["details"]["part"])
            assert before == (picture(tree(parted, uuid)), guid(parted, f"zones/{uuid}@mine"), datasets(parted))
            tried += 1
    assert 4 == tried
    with flipped(bucket, manifest_key(uuid, "one"), 100, 1):
        done = await run(parted, ears, "backup.restore", uuid, snapshot="one")
        assert done["error"]["code"] in ("checksum_mismatch", "storage_failed"), done
    await good(parted, ears, "backup.restore", uuid, snapshot="one")


@pytest.mark.thorough
async def test_each_level_finds_what_it_looks_for(small: Host, ears: Ears, bucket: Bucket):
    """All four find a good backup good; a parent's object gone is for a restore to find, a turned bit for each."""
    uuid = await made(small, ears)
    grow(tree(small, uuid), seeded(2))
    await good(small, ears, "backup.create", uuid, snapshot="one")
    await good(small, ears, "backup.create", uuid, snapshot="two", parent="one")

    async def verdicts() -> list[bool]:
        levels = ("catalogue", "hash", "stream", "restore")
        looks = [await good(small, ears, "backup.verify", uuid, snapshot="two", level=level) for level in levels]
        return [one["good"] for one in looks]

    assert [True, True, True, True] == await verdicts()
    kept = bucket.get(f"{uuid}/one")
    bucket.delete(f"{uuid}/one")
    assert [True, True, True, False] == await verdicts()
    bucket.put(f"{uuid}/one", kept)
    with flipped(bucket, f"{uuid}/two", 200, 3):  # what is put has another ETag: that is what a catalogue can see
        assert [False, False, False, False] == await verdicts()
    assert [] == [one for one in datasets(small) if "chunter-" in one]


HARMS_UP = (
    ("drop", "PUT", "partNumber=1"),
    ("error", "PUT", "partNumber=2"),
    ("etag", "PUT", "partNumber=3"),
    ("ok_error", "PUT", "partNumber=1"),
    ("flip_request", "PUT", "partNumber=2"),
    ("drop_late", "PUT", "partNumber=3"),
    ("error", "POST", "uploads"),
    ("ok_error", "POST", "uploadId"),
    ("drop_late", "POST", "uploadId"),
)
HARMS_DOWN = ("drop", "error", "truncate", "flip", "ok_error")


@pytest.mark.parametrize("status", [500, 503])
@pytest.mark.thorough
async def test_a_bad_line_costs_time_and_nothing_else(
    parted: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket, status: int
):
    """Dropped, refused, truncated, turned, answered wrongly: the backup is whole in the end, and so is the restore."""
    uuid = await filled(parted, ears, 3)
    then = picture(tree(parted, uuid))
    harms = [proxy.harm(kind, method, query=query, times=1, status=status) for kind, method, query in HARMS_UP]
    await good(parted, ears, "backup.create", uuid, 120, snapshot="one")
    assert [1] * len(HARMS_UP) == [harm.done for harm in harms]
    parted.tool("zfs", "destroy", f"zones/{uuid}@one")
    grow(tree(parted, uuid), seeded(4))
    harms = [
        proxy.harm(kind, "GET", path=f"{uuid}/one", times=1, skip=skip, status=status)
        for skip, kind in enumerate(HARMS_DOWN)
    ]
    await good(parted, ears, "backup.restore", uuid, 120, snapshot="one")

    assert [1] * len(HARMS_DOWN) == [harm.done for harm in harms]
    assert then == picture(tree(parted, uuid))
    assert ["one", "one.manifest.json", "one.xml"] == keys(bucket, uuid)


async def test_a_sender_that_is_killed(parted: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """Zfs send dies half-way: failed, nothing is listed, nothing stays in the store, the snapshot is kept, unheld."""
    uuid = await filled(parted, ears, 5, HUGE_BYTES)
    proxy.harm("stall", "PUT", query="partNumber=1")
    backup = parted.send("backup.create", uuid, params={"snapshot": "one", "delete": "snapshot"})
    async with asyncio.timeout(30):
        while not (proxy.count("PUT", "partNumber=1") and (pids := await asyncio.to_thread(sending, parted))):
            await asyncio.sleep(0.02)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    proxy.heal()
    done = await ears.result(backup, 60)

    assert ("failed", "tool_failed") == (done["status"], done["error"]["code"]), done
    assert [] == (await good(parted, ears, "backup.list", uuid))["backups"]
    assert ([], []) == (keys(bucket, uuid), list(bucket.uploads(f"{uuid}/")))
    assert 0 == parted.tool("zfs", "list", f"zones/{uuid}@one").returncode
    assert 0 == holds(parted, uuid)


def sending(host: Host) -> list[int]:
    """The processes of zfs send."""
    found = []
    for pid in host.tools_running():
        with suppress(OSError):  # it has ended meanwhile
            found += [pid] if b"send" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") else []
    return found
