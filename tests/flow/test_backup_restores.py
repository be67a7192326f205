"""Restores as commands: what they refuse, where they lead, and that they leave nothing when they are given up."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from backup_parts import (
    datasets,
    good,
    guid,
    keys,
    made,
    on_real_zfs,
    out,
    run,
    settings_for,
    tree,
)
from nsq_servers import Nsqd
from trees import differences, grow, picture, seeded
from worlds import Ears, Host, new_uuid
from zfs_pool import SBIN, Pool, command

from chunter_nsq.backup.streamcheck import StreamCheck
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket
from chunter_nsq.storage.catalogue import load
from chunter_nsq.storage.manifest import Snapshot, manifest_key

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")

LOOKS = {"list", "get", ""}
BIG_BYTES = 8 * 10**6


@pytest.fixture
def small(shared_small: Host) -> Host:
    """One for all: each backs up machines of its own."""
    return shared_small


def touched(host: Host, since: int) -> list[list[str]]:
    """What was asked of ZFS, after so many other calls, that is no mere look."""
    return [argv for argv in host.invocations("zfs")[since:] if "".join(argv[1:2]) not in LOOKS]


async def refused(host: Host, ears: Ears, uuid: str, code: str, **params) -> dict:
    """The error of a restore that is refused before anything is touched."""
    before, calls = datasets(host), len(host.invocations("zfs"))
    done = await run(host, ears, "backup.restore", uuid, **params)
    assert ("failed", code) == (done["status"], done["error"]["code"]), done
    assert ([], before) == (touched(host, calls), datasets(host))
    return done["error"]


async def test_what_a_restore_refuses(small: Host, ears: Ears, bucket: Bucket):
    """No backup, a machine nobody described, one that is there or runs: refused, and nothing is touched."""
    uuid = await made(small, ears)
    await good(small, ears, "backup.create", uuid, snapshot="one", xml=False)
    missing = await refused(small, ears, uuid, "no_restore_path", snapshot="nine")
    assert "nine" == missing["details"]["missing"]
    await refused(small, ears, uuid, "invalid_state", snapshot="one", as_uuid=new_uuid())
    await refused(small, ears, uuid, "already_exists", snapshot="one", as_uuid=uuid)
    await good(small, ears, "machine.start", uuid)
    running = await refused(small, ears, uuid, "invalid_state", snapshot="one")
    assert "running" == running["details"]["state"]


@pytest.mark.thorough
async def test_broken_chains_are_told_before_anything_is_touched(small: Host, ears: Ears, bucket: Bucket):
    """A circle, a link that is gone, a parent that was made again: no way, and which link it is."""
    uuid = await made(small, ears)
    for name, parent in (("a", None), ("b", "a"), ("c", "b")):
        await good(small, ears, "backup.create", uuid, snapshot=name, **({"parent": parent} if parent else {}))
    for name in ("a", "b", "c"):
        small.tool("zfs", "destroy", f"zones/{uuid}@{name}")
    first = load(bucket, manifest_key(uuid, "a"))
    last = load(bucket, manifest_key(uuid, "c"))

    bucket.put(first.key, replace(first, parent=last.snapshot).encoded())
    circle = await refused(small, ears, uuid, "no_restore_path", snapshot="c")
    assert ["c", "b", "a"] == circle["details"]["path"]
    assert "in a circle" in circle["message"]
    bucket.put(first.key, replace(first, snapshot=Snapshot("a", {f"zones/{uuid}": "1"})).encoded())
    other = await refused(small, ears, uuid, "no_restore_path", snapshot="c")
    assert "another snapshot a" in other["message"]
    bucket.delete(first.key)
    gone = await refused(small, ears, uuid, "no_restore_path", snapshot="c")
    assert "a" == gone["details"]["missing"]
    bucket.put(first.key, first.encoded())
    assert 3 == len((await good(small, ears, "backup.restore", uuid, snapshot="c"))["path"])


@pytest.mark.thorough
async def test_what_does_not_fit_is_not_begun(backed: Host, ears: Ears):
    """A restore needs room beside the machine, from the store as from a snapshot here: else refused at once."""
    uuid = await made(backed, ears)
    tree(backed, uuid).mkdir(parents=True)
    (tree(backed, uuid) / "big").write_bytes(seeded(1).randbytes(BIG_BYTES))
    await good(backed, ears, "backup.create", uuid, snapshot="one")
    used = int(command("zfs", "get", "-Hp", "-o", "value", "used", backed.base))
    command("zfs", "set", f"quota={used + BIG_BYTES // 2}", backed.base)

    for _ in ("here", "in the store"):
        error = await refused(backed, ears, uuid, "insufficient_resources", snapshot="one")
        assert BIG_BYTES <= error["details"]["needed"] < 2 * BIG_BYTES
        backed.tool("zfs", "destroy", f"zones/{uuid}@one")
    command("zfs", "set", "quota=none", backed.base)
    await good(backed, ears, "backup.restore", uuid, snapshot="one")


async def test_as_another_machine(small: Host, ears: Ears):
    """A backup becomes a second machine under its own uuid, beside the first."""
    uuid, other = await made(small, ears), new_uuid()
    tree(small, uuid).mkdir(parents=True)
    (tree(small, uuid) / "file").write_text("data")
    await good(small, ears, "backup.create", uuid, snapshot="one")
    done = await good(small, ears, "backup.restore", uuid, snapshot="one", as_uuid=other)

    assert other == done["uuid"]
    assert "data" == (tree(small, other) / "file").read_text()
    assert "data" == (tree(small, uuid) / "file").read_text()
    states = {one: json.loads(small.tool("vmadm", "get", one).stdout)["state"] for one in (uuid, other)}
    assert {uuid: "stopped", other: "stopped"} == states


@pytest.mark.thorough
async def test_on_a_host_that_never_saw_the_machine(
    backed: Host, ears: Ears, tmp_path: Path, nsqd: Nsqd, zfs_pool: Pool, account: Account
):
    """A host is lost: another one makes the machine from the store, under its uuid and as a second one; both boot."""
    uuid, other = await made(backed, ears, quota=2, delegate_dataset=True), new_uuid()
    for name, parent in (("one", None), ("two", "one")):
        grow(tree(backed, uuid), seeded(4 if parent is None else 5))
        await good(backed, ears, "backup.create", uuid, snapshot=name, **({"parent": parent} if parent else {}))
    before = json.loads(backed.tool("vmadm", "get", uuid).stdout)
    then, was = picture(tree(backed, uuid)), guid(backed, f"zones/{uuid}@two")
    await backed.stop()

    async with on_real_zfs(tmp_path / "other", nsqd, zfs_pool, settings_for(account), "another") as elsewhere:
        assert elsewhere.id != backed.id
        for name, more in ((uuid, {}), (other, {"as_uuid": other})):
            await good(elsewhere, ears, "backup.restore", uuid, snapshot="two", **more)
            assert (then, was) == (picture(tree(elsewhere, name)), guid(elsewhere, f"zones/{name}@two"))
            after = json.loads(elsewhere.tool("vmadm", "get", name).stdout)
            same = ("alias", "brand", "quota", "max_physical_memory", "nics", "state", "autoboot")
            assert {each: before[each] for each in same} == {each: after[each] for each in same}
            assert [f"zones/{name}/data"] == after["datasets"]
            assert "running" == (await good(elsewhere, ears, "machine.start", name))["state"]
        assert [] == [name for name in datasets(elsewhere) if "chunter-" in name]


@pytest.mark.thorough
async def test_streams_of_the_first_chunter(backed: Host, ears: Ears, bucket: Bucket):
    """Objects without manifests, one gzip member each, restore by their keys; what was never stored stays."""
    uuid = await made(backed, ears, delegate_dataset=True)
    folder = tree(backed, uuid)
    grow(folder, seeded(7))
    stream = [backed.platform / "usr/sbin/zfs", "send"]
    backed.tool("zfs", "snapshot", f"zones/{uuid}@a")
    full = await out(*stream, f"zones/{uuid}@a")
    grow(folder, seeded(8))
    then = picture(folder)
    backed.tool("zfs", "snapshot", f"zones/{uuid}@b")
    more = await out(*stream, "-i", f"zones/{uuid}@a", f"zones/{uuid}@b")
    sums = {}
    for key, raw in ((f"{uuid}/a", full), (f"{uuid}/b", more)):
        packed = await out("gzip", "-1", stdin=raw)
        bucket.put(key, packed)
        sums[key] = hashlib.sha1(packed, usedforsecurity=False).hexdigest()
    grow(folder, seeded(9))
    wrong = await run(
        backed, ears, "backup.restore", uuid, snapshot="b", parents=["a"], sha1=sums | {f"{uuid}/b": "0" * 40}
    )
    assert "checksum_mismatch" == wrong["error"]["code"], wrong
    assert picture(folder) != then
    done = await good(backed, ears, "backup.restore", uuid, snapshot="b", parents=["a"], sha1=sums)

    assert then == picture(folder)
    assert [f"{uuid}/a", f"{uuid}/b"] == done["files"]
    assert [f"zones/{uuid}", f"zones/{uuid}/data"] == [one for one in datasets(backed) if uuid in one]
    assert [] == [one for one in datasets(backed) if "chunter-" in one]
    assert "on\n" == backed.tool("zfs", "get", "-H", "-o", "value", "zoned", f"zones/{uuid}/data").stdout


@pytest.mark.thorough
async def test_without_an_agent(backed: Host, ears: Ears, bucket: Bucket, tmp_path: Path):
    """Our objects pass gunzip and zfs receive, by hand, and are the streams that zstreamdump sees."""
    uuid = await made(backed, ears)
    by_hand, since = f"{backed.base}/by-hand", "0"
    for name, parent in (("one", None), ("two", "one")):
        grow(tree(backed, uuid), seeded(5 if parent is None else 6))
        await good(backed, ears, "backup.create", uuid, snapshot=name, **({"parent": parent} if parent else {}))
        packed = tmp_path / f"{name}.gz"
        packed.write_bytes(bucket.get(f"{uuid}/{name}"))
        await asyncio.to_thread(piped, packed, SBIN / "zfs", "receive", "-u", by_hand)
        assert (
            guid(backed, f"zones/{uuid}@{name}")
            == command("zfs", "get", "-Hp", "-o", "value", "guid", f"{by_hand}@{name}").strip()
        )
        dumped = await asyncio.to_thread(piped, packed, SBIN / "zstreamdump")
        check = StreamCheck(name)
        check.write(memoryview(await out("gunzip", "-c", packed)))
        check.finish(guid(backed, f"zones/{uuid}@{name}"), since)
        since = check.toguid
        said = dict(line.strip().split(" = ", 1) for line in dumped.splitlines() if " = " in line)
        assert (check.toguid, check.fromguid) == (str(int(said["toguid"], 16)), str(int(said["fromguid"], 16)))
    command("zfs", "mount", by_hand)
    place = Path(command("zfs", "get", "-H", "-o", "value", "mountpoint", by_hand).strip())
    assert "" == differences(tree(backed, uuid), place / "root" / "srv")


def piped(packed: Path, *argv: str | Path) -> str:
    """What ``gunzip < packed | argv`` says; all of it must succeed."""
    with packed.open("rb") as file, subprocess.Popen(["gunzip"], stdin=file, stdout=subprocess.PIPE) as gunzip:
        done = subprocess.run(argv, stdin=gunzip.stdout, capture_output=True, text=True, check=False)
    assert (0, 0) == (gunzip.returncode, done.returncode), done.stderr
    return done.stdout


@pytest.fixture
async def slow(tmp_path: Path, nsqd: Nsqd, zfs_pool: Pool, account: Account, request) -> AsyncIterator[Host]:
    """A host with real datasets that moves 1 MB a second."""
    settings = settings_for(account) | {"backup_rate_limit": "1MB"}
    async with on_real_zfs(tmp_path / "slow", nsqd, zfs_pool, settings, request.node.name) as host:
        yield host


@pytest.mark.alone
async def test_given_up_within_two_seconds(slow: Host, ears: Ears, bucket: Bucket):
    """A restore and a verification that receive are cancelled: no dataset beside the machine, which is as it was."""
    uuid = await made(slow, ears)
    tree(slow, uuid).mkdir(parents=True)
    (tree(slow, uuid) / "big").write_bytes(seeded(2).randbytes(BIG_BYTES // 2))
    await good(slow, ears, "backup.create", uuid, snapshot="one")
    slow.tool("zfs", "destroy", f"zones/{uuid}@one")
    (tree(slow, uuid) / "big").write_bytes(b"later")
    before, stored = datasets(slow), keys(bucket, uuid)
    for action, params in (("backup.restore", {}), ("backup.verify", {"level": "restore"})):
        work = slow.send(action, uuid, params={"snapshot": "one", **params})
        await receiving(slow)
        begun = time.monotonic()
        slow.send("command.cancel", params={"command": work})
        assert "cancelled" == (await ears.result(work))["status"]
        assert time.monotonic() - begun < 2
        assert (before, stored) == (datasets(slow), keys(bucket, uuid))
    assert b"later" == (tree(slow, uuid) / "big").read_bytes()
    assert "running" == (await good(slow, ears, "machine.start", uuid))["state"]


async def receiving(host: Host) -> None:
    """Wait until a stream is being received."""
    async with asyncio.timeout(30):
        while not any(b"receive" in argv for argv in host.tool_lines()):
            await asyncio.sleep(0.02)
