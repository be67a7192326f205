"""Backups as commands: a real agent, real datasets, a real object store."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import time
from collections.abc import Callable

import pytest
from backup_parts import datasets, good, holds, keys, made, run, send_delay, settings_for
from prometheus_client.parser import text_string_to_metric_families
from sweeps import swept
from worlds import FINAL, Ears, Host

from chunter_nsq.smartos.simulator import faults
from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")


@pytest.fixture
def small(shared_small: Host) -> Host:
    """One for all: each backs up machines of its own."""
    return shared_small


async def test_full_and_increment(small: Host, ears: Ears, bucket: Bucket):
    """A full backup and an increment: files with their sums, one manifest each, events in Howl's form, no holds."""
    uuid = await made(small, ears)
    full = await good(small, ears, "backup.create", uuid, snapshot="one")
    more = await good(small, ears, "backup.create", uuid, snapshot="two", parent="one")

    assert {f"{uuid}/one", f"{uuid}/one.xml"} == set(full["files"])
    assert ["one", "one.manifest.json", "one.xml", "two", "two.manifest.json", "two.xml"] == keys(bucket, uuid)
    for key, file in (full["files"] | more["files"]).items():
        assert hashlib.sha1(bucket.get(key), usedforsecurity=False).hexdigest() == file["sha1"]
    xml = (small.platform / "etc/zones" / f"{uuid}.xml").read_bytes()
    assert xml == bucket.get(f"{uuid}/one.xml")
    manifest = json.loads(bucket.get(f"{uuid}/two.manifest.json"))
    assert "one" == manifest["parent"]["name"]
    await ears.when(lambda: 2 == len(ears.of("chunter.backup.completed", uuid)))
    told = [event["data"]["data"] for event in ears.of("chunter.backup.completed", uuid)]
    assert [("update", "one"), ("update", "two")] == [(one["action"], one["uuid"]) for one in told]
    await ears.when(lambda: ears.of("chunter.backup.update", uuid) != [])
    assert {"state": "uploading"} == ears.of("chunter.backup.update", uuid)[0]["data"]["data"]["data"]
    assert 0 == holds(small, uuid)
    raw = gzip.decompress(bucket.get(f"{uuid}/one"))
    assert full["files"][f"{uuid}/one"]["raw_size"] == len(raw)


async def test_all_disks_and_what_is_below(small: Host, ears: Ears, bucket: Bucket):
    """Datasets below a machine's root are stored too, each as an object of its own, from one snapshot."""
    uuid = await made(small, ears, delegate_dataset=True)
    done = await good(small, ears, "backup.create", uuid, snapshot="all", xml=False)

    assert {f"{uuid}/all", f"{uuid}/all-data"} == set(done["files"])
    taken = [argv for argv in small.invocations("zfs") if argv[1:2] == ["snapshot"]]
    assert [f"zones/{uuid}@all", f"zones/{uuid}/data@all"] == taken[-1][2:]


def _failed(ears: Ears, uuid: str) -> list[str]:
    """The backups of a machine that were told as failed."""
    return [event["data"]["data"]["uuid"] for event in ears.of("chunter.backup.failed", uuid)]


async def test_what_is_refused(small: Host, ears: Ears, bucket: Bucket):
    """No parent in the store, itself as parent, a name taken, a missing snapshot: refused, and nothing is stored.

    That a name is taken is no failure of the backup that has it.
    """
    uuid = await made(small, ears)
    await good(small, ears, "snapshot.create", uuid, snapshot="here")
    for code, params in (
        ("invalid_state", {"snapshot": "a", "parent": "here"}),
        ("invalid_message", {"snapshot": "a", "parent": "a"}),
        ("already_exists", {"snapshot": "here", "create": True}),
        ("not_found", {"snapshot": "a", "create": False}),
    ):
        done = await run(small, ears, "backup.create", uuid, **params)
        assert ("failed", code) == (done["status"], done["error"]["code"]), done
    assert [] == keys(bucket, uuid)
    await good(small, ears, "backup.create", uuid, snapshot="here")
    again = await run(small, ears, "backup.create", uuid, snapshot="here")
    assert "already_exists" == again["error"]["code"]
    assert 3 == len(keys(bucket, uuid))
    await run(small, ears, "backup.create", uuid, snapshot="later", create=False)
    await ears.when(lambda: "later" in _failed(ears, uuid))
    assert ["a", "a", "here", "a", "later"] == _failed(ears, uuid)


async def test_a_dry_run_touches_nothing(small: Host, ears: Ears, bucket: Bucket):
    """The vectors are told, nothing is made."""
    uuid = await made(small, ears)
    done = await good(small, ears, "backup.create", uuid, snapshot="one", dry_run=True)

    assert [["usr/sbin/zfs", "snapshot", f"zones/{uuid}@one"], ["usr/sbin/zfs", "send", f"zones/{uuid}@one"]] == done[
        "argv"
    ]
    assert [] == keys(bucket, uuid)
    assert "" == small.tool("zfs", "list", "-H", "-t", "snapshot", "-r", f"zones/{uuid}").stdout


DOUBTS = (
    {"exit": 1, "stderr": "internal error: I/O error"},
    {"truncate": 100_000, "exit": 1, "stderr": "warning: cannot send"},
    {"stderr": "warning: something is odd"},
)


@pytest.mark.parametrize("fault", swept(DOUBTS, DOUBTS[1:2]))
async def test_a_doubtful_stream_is_no_backup(small: Host, ears: Ears, bucket: Bucket, fault: dict):
    """Zfs send that fails, breaks off or complains: failed, nothing is stored, the snapshot stays, no hold."""
    uuid = await made(small, ears)
    faults.add(str(small.platform), {"tool": "zfs", "subcommand": "send", "times": 2, **fault})
    done = await run(small, ears, "backup.create", uuid, snapshot="one", delete="snapshot")

    assert ("failed", "tool_failed") == (done["status"], done["error"]["code"])
    assert [] == keys(bucket, uuid)
    assert [] == list(bucket.uploads(f"{uuid}/"))
    assert 0 == holds(small, uuid)
    assert 0 == small.tool("zfs", "list", f"zones/{uuid}@one").returncode
    await ears.when(lambda: 1 == len(ears.of("chunter.backup.failed", uuid)))
    await good(small, ears, "backup.create", uuid, snapshot="one")


@pytest.mark.thorough
async def test_blocks_as_they_lie_on_the_pool(new_host: Callable[..., Host], account: Account, ears: Ears):
    """With backup_compression zfs streams are made with send -c, and a chain goes on as it was begun."""
    host = await new_host(settings=settings_for(account) | {"backup_compression": "zfs"}).start().ready()
    uuid = await made(host, ears)
    await good(host, ears, "backup.create", uuid, snapshot="one")
    host.configure(backup_compression="auto")
    await host.stop()
    await host.start().ready()
    await good(host, ears, "backup.create", uuid, snapshot="two", parent="one")
    await good(host, ears, "backup.create", uuid, snapshot="three")

    sends = [argv[2:] for argv in host.invocations("zfs") if argv[1:2] == ["send"] and "-nvP" not in argv]
    root = f"zones/{uuid}"
    assert [["-c", f"{root}@one"], ["-c", "-i", f"{root}@one", f"{root}@two"], [f"{root}@three"]] == sends
    seen = await good(host, ears, "backup.verify", uuid, snapshot="two", level="restore")
    assert seen["good"], seen


@pytest.mark.thorough
async def test_what_may_go_goes_afterwards(small: Host, ears: Ears, bucket: Bucket):
    """With delete the snapshot or its parent go once the backup is proven; a bookmark carries the chain on.

    It goes when the backup that it stands for does.
    """
    uuid = await made(small, ears)
    await good(small, ears, "backup.create", uuid, snapshot="one", delete="snapshot")
    await good(small, ears, "backup.create", uuid, snapshot="two", parent="one")
    await good(small, ears, "backup.create", uuid, snapshot="three", parent="two", delete="both")
    await good(small, ears, "backup.create", uuid, snapshot="four", parent="three")

    left = small.tool("zfs", "list", "-H", "-o", "name", "-t", "snapshot", "-r", f"zones/{uuid}").stdout.split()
    assert [f"zones/{uuid}@four"] == left
    increments = [argv[3:] for argv in small.invocations("zfs") if argv[1:3] == ["send", "-i"]]
    assert "#chunter-" in next(since for since, to in increments if to.startswith(f"zones/{uuid}@"))
    first, third = bookmarks(small, uuid)
    planned = await good(small, ears, "backup.delete", uuid, snapshot="three", where="remote", force=True, dry_run=True)
    assert [["usr/sbin/zfs", "destroy", third]] == planned["argv"]
    await good(small, ears, "backup.delete", uuid, snapshot="three", where="remote", force=True)
    assert [first] == bookmarks(small, uuid)
    await good(small, ears, "backup.create", uuid, snapshot="five")
    await good(small, ears, "backup.prune", uuid, keep={"last": 1})
    assert [] == bookmarks(small, uuid)


def bookmarks(host: Host, uuid: str) -> list[str]:
    """Of a machine's root, oldest first."""
    argv = ("list", "-H", "-o", "name", "-t", "bookmark", "-s", "creation", "-d", "1", f"zones/{uuid}")
    return host.tool("zfs", *argv).stdout.split()


async def test_listed_verified_thinned_out(small: Host, ears: Ears, bucket: Bucket):
    """Backups are listed by manifests, looked at on four levels, and deleted without ever breaking a chain."""
    uuid = await made(small, ears)
    for name, parent in (("a", None), ("b", "a"), ("c", "b"), ("d", None)):
        await good(small, ears, "backup.create", uuid, snapshot=name, **({"parent": parent} if parent else {}))
    listed = await good(small, ears, "backup.list", uuid)
    assert [("a", None), ("b", "a"), ("c", "b"), ("d", None)] == [
        (one["snapshot"], one["parent"]) for one in listed["backups"]
    ]
    for level in ("catalogue", "hash", "stream", "restore"):
        seen = await good(small, ears, "backup.verify", uuid, snapshot="b", level=level)
        assert seen["good"], seen
    await ears.when(lambda: 4 == len(ears.of("chunter.backup.verified", uuid)))
    assert {True} == {one["data"]["data"]["data"]["good"] for one in ears.of("chunter.backup.verified", uuid)}
    assert [] == [one for one in datasets(small) if "chunter-" in one]

    refused = await run(small, ears, "backup.delete", uuid, snapshot="a", where="remote")
    assert ("invalid_state", {"c", "b"}) == (refused["error"]["code"], set(refused["error"]["details"]["children"]))
    planned = await good(small, ears, "backup.prune", uuid, keep={"last": 2}, dry_run=True)
    assert {"kept": {uuid: ["d", "c", "b", "a"]}, "deleted": {uuid: []}} == {
        "kept": {uuid: list(planned["found"]["kept"][uuid])}, "deleted": planned["found"]["deleted"],
    }  # fmt: skip
    pruned = await good(small, ears, "backup.prune", uuid, keep={"last": 1})
    assert {uuid: ["c", "b", "a"]} == pruned["deleted"]
    assert ["d", "d.manifest.json", "d.xml"] == keys(bucket, uuid)
    await good(small, ears, "backup.delete", uuid, snapshot="d")
    assert 1 == small.tool("zfs", "list", f"zones/{uuid}@d").returncode

    stored = bytearray(bucket.get(f"{uuid}/d"))
    stored[-9] ^= 1
    bucket.put(f"{uuid}/d", bytes(stored))
    seen = await good(small, ears, "backup.verify", uuid, snapshot="d", level="hash")
    assert (False, ["checksum_mismatch"]) == (seen["good"], [one["code"] for one in seen["files"][f"{uuid}/d"]])
    await good(small, ears, "backup.delete", uuid, snapshot="d", where="both")
    assert [] == keys(bucket, uuid)


async def ages(host: Host) -> dict[tuple[str, ...], float]:
    """What /metrics says of backups and looks at them: machine and level to seconds."""
    body = (await host.get("/metrics"))[1].decode()
    found = [each for family in text_string_to_metric_families(body) for each in family.samples]
    return {
        (each.labels["uuid"], each.labels.get("level", "")): each.value
        for each in found
        if each.name.startswith("chunter_vm_backup_")
    }


@pytest.mark.thorough
async def test_the_age_of_the_last_good_backup(
    new_host: Callable[..., Host], account: Account, ears: Ears, bucket: Bucket
):
    """Figures for each machine and level outlive the agent; a backup that proves bad or is deleted counts no more."""
    host = await new_host(settings=settings_for(account)).start().ready()
    uuid = await made(host, ears)
    assert {} == await ages(host)
    await good(host, ears, "backup.create", uuid, snapshot="one")
    await good(host, ears, "backup.verify", uuid, snapshot="one")
    host.kill()
    await host.start().ready()
    await until_known(host, uuid)
    found = await ages(host)
    assert {(uuid, ""), (uuid, "hash")} == set(found)
    assert all(0 < seconds < 600 for seconds in found.values())
    await good(host, ears, "backup.create", uuid, snapshot="two")
    second = (await ages(host))[uuid, ""]
    bucket.delete(f"{uuid}/two")
    seen = await good(host, ears, "backup.verify", uuid, snapshot="two", level="catalogue")
    assert not seen["good"]
    assert (await ages(host))[uuid, ""] > second
    await good(host, ears, "backup.delete", uuid, snapshot="two", where="remote")
    await good(host, ears, "backup.delete", uuid, snapshot="one", where="remote")
    assert {} == await ages(host)


async def until_known(host: Host, uuid: str) -> None:
    """Wait until the agent knows a machine's name."""
    async with asyncio.timeout(20):
        while uuid.encode() not in (await host.get("/metrics"))[1]:
            await asyncio.sleep(0.05)


async def test_others_go_on_beside_an_upload(small: Host, ears: Ears, bucket: Bucket):
    """While a backup uploads its machine can be started; what would pull its ground away waits for it."""
    uuid = await made(small, ears)
    send_delay(small, 4.0)
    backup = small.send("backup.create", uuid, params={"snapshot": "one"})
    deletion = small.send("machine.start", uuid)
    await ears.result(deletion)
    assert not FINAL & set(ears.statuses(backup))
    rollback = small.send("snapshot.delete", uuid, params={"snapshot": "one"})
    increment = small.send("backup.create", uuid, params={"snapshot": "two", "parent": "one", "create": True})
    ends = [await ears.result(each) for each in (backup, rollback, increment)]

    assert ["succeeded", "succeeded"] == [one["status"] for one in ends[:2]], ends
    assert ends[0]["finished"] <= ends[1]["finished"]
    assert "invalid_state" == ends[2]["error"]["code"]  # its parent's snapshot is gone by then


@pytest.mark.alone
async def test_cancelled_at_once(small: Host, ears: Ears, bucket: Bucket):
    """command.cancel is over within two seconds and leaves no object, no upload and no hold."""
    uuid = await made(small, ears)
    send_delay(small, 40.0)
    backup = small.send("backup.create", uuid, params={"snapshot": "one"})
    await ears.until(lambda event: event["type"] == "chunter.backup.update")
    begun = time.monotonic()
    await ears.result(small.send("command.cancel", params={"command": backup}))
    done = await ears.result(backup)

    assert "cancelled" == done["status"]
    assert time.monotonic() - begun < 2.5
    assert [] == keys(bucket, uuid)
    assert [] == list(bucket.uploads(f"{uuid}/"))
    assert 0 == holds(small, uuid)
