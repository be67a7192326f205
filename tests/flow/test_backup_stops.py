"""Backups that are ended half-way: cancelled, put down by the end of the agent, or left by one that is gone."""

from __future__ import annotations

import json
import sqlite3
import time

import pytest
from backup_parts import datasets, filled, good, holds, keys, made, parts, tree, until
from s3_proxy import FaultProxy
from worlds import Ears, Host

from chunter_nsq.memo import tag
from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("s3_servers", "backup_parts")
pytestmark = pytest.mark.counted


def uploads(bucket: Bucket, uuid: str) -> list[str]:
    """Keys of what is unfinished in the store."""
    return [one.key for one in bucket.uploads(f"{uuid}/")]


async def cancelled(host: Host, ears: Ears, command: str) -> float:
    """Seconds from a cancellation to the end of the command."""
    begun = time.monotonic()
    host.send("command.cancel", params={"command": command})
    done = await ears.result(command)
    assert "cancelled" == done["status"], done
    return time.monotonic() - begun


@pytest.mark.alone
@pytest.mark.thorough
async def test_cancelled_with_parts_on_their_way(weak: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """The store holds a part up: the end comes within two seconds, and nothing is left in the store or on the host."""
    uuid = await filled(weak, ears)
    proxy.harm("stall", "PUT", query="partNumber=3")
    backup = weak.send("backup.create", uuid, params={"snapshot": "one"})
    await until(lambda: proxy.count("PUT", "partNumber=3") > 0 and parts(bucket, uuid) > 0)

    assert await cancelled(weak, ears, backup) < 2
    assert ([], []) == (uploads(bucket, uuid), keys(bucket, uuid))
    assert 0 == holds(weak, uuid)
    assert 0 == weak.tool("zfs", "list", f"zones/{uuid}@one").returncode


@pytest.mark.alone
@pytest.mark.thorough
async def test_cancelled_while_the_store_is_silent(weak: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """Nobody can take anything back then: the next agent starts all the same, and does so when the store is there."""
    uuid = await filled(weak, ears)
    proxy.harm("stall", "PUT", query="partNumber=3")
    backup = weak.send("backup.create", uuid, params={"snapshot": "one"})
    await until(lambda: proxy.count("PUT", "partNumber=3") > 0 and parts(bucket, uuid) > 0)
    for method in ("GET", "DELETE", "POST", "HEAD"):
        proxy.harm("error", method, status=503)
    proxy.harm("stall", "DELETE")

    assert await cancelled(weak, ears, backup) < 2
    assert 0 == holds(weak, uuid)
    assert [f"{uuid}/one"] == uploads(bucket, uuid)
    weak.kill()
    await weak.start().ready()
    assert [f"{uuid}/one"] == uploads(bucket, uuid)
    proxy.heal()
    await until(lambda: not uploads(bucket, uuid))
    await good(weak, ears, "backup.create", uuid, snapshot="one")


@pytest.mark.thorough
async def test_an_upload_is_put_down_with_the_agent(weak: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """SIGTERM does not wait for an upload: the next agent goes on with it, and sends only what is missing."""
    uuid = await filled(weak, ears)
    proxy.harm("stall", "PUT", query="partNumber=4")
    backup = weak.send("backup.create", uuid, params={"snapshot": "one"})
    await until(lambda: proxy.count("PUT", "partNumber=4") > 0 and parts(bucket, uuid) == 3)
    begun = time.monotonic()
    assert 0 == await weak.stop()
    assert time.monotonic() - begun < 10

    assert ([f"{uuid}/one"], 3) == (uploads(bucket, uuid), parts(bucket, uuid))
    assert holds(weak, uuid) > 0
    proxy.heal()
    proxy.requests.clear()
    await weak.start().ready()
    done = await ears.result(backup, 60)
    assert "succeeded" == done["status"], done
    sent = [target for method, target in proxy.requests if method == "PUT" and f"{uuid}/one?" in target]
    assert ["4"] == [target.rpartition("partNumber=")[2] for target in sent]
    assert ([], 0) == (uploads(bucket, uuid), holds(weak, uuid))
    seen = await good(weak, ears, "backup.verify", uuid, snapshot="one", level="restore")
    assert seen["good"], seen


@pytest.mark.thorough
async def test_another_agent_goes_on_that_packs_otherwise(weak: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """What an older library packed cannot be gone on with: the upload begins again, and nothing is left of it."""
    uuid = await filled(weak, ears)
    proxy.harm("stall", "PUT", query="partNumber=4")
    backup = weak.send("backup.create", uuid, params={"snapshot": "one"})
    await until(lambda: proxy.count("PUT", "partNumber=4") > 0 and parts(bucket, uuid) == 3)
    weak.kill()
    with sqlite3.connect(weak.root / "var" / "chunter.db") as database:
        (kept,) = database.execute("SELECT value FROM notes WHERE key = ?", (f"{backup} file {uuid}/one",)).fetchone()
        older = json.dumps(json.loads(kept) | {"engine": "zlib 0.9 level 1"})
        database.execute("UPDATE notes SET value = ? WHERE key = ?", (older, f"{backup} file {uuid}/one"))
    database.close()
    proxy.heal()
    await weak.start().ready()
    done = await ears.result(backup, 60)

    assert "succeeded" == done["status"], done
    assert ([], ["one", "one.manifest.json", "one.xml"]) == (uploads(bucket, uuid), keys(bucket, uuid))
    seen = await good(weak, ears, "backup.verify", uuid, snapshot="one", level="restore")
    assert seen["good"], seen


@pytest.mark.thorough
async def test_a_restore_is_put_down_with_the_agent(weak: Host, ears: Ears, proxy: FaultProxy):
    """What was received stays beside the machine, which is untouched; the next agent brings it to its end."""
    uuid = await filled(weak, ears, 100_000)
    await good(weak, ears, "backup.create", uuid, snapshot="one", delete="snapshot")
    (tree(weak, uuid) / "file").write_bytes(b"later")
    await good(weak, ears, "backup.create", uuid, snapshot="two", parent="one", delete="snapshot")
    (tree(weak, uuid) / "file").write_bytes(b"latest")
    proxy.harm("stall", "GET", path=f"{uuid}/two", skip=2)  # the manifest, and the XML
    restore = weak.send("backup.restore", uuid, params={"snapshot": "two"})
    await until(lambda: any(one.endswith("@one") for one in received(weak)))
    begun = time.monotonic()
    assert 0 == await weak.stop()
    assert time.monotonic() - begun < 10
    assert b"latest" == (tree(weak, uuid) / "file").read_bytes()
    proxy.heal()
    proxy.requests.clear()
    await weak.start().ready()
    done = await ears.result(restore, 60)

    assert "succeeded" == done["status"], done
    assert 0 == proxy.count("GET", f"{uuid}/one?")
    assert b"later" == (tree(weak, uuid) / "file").read_bytes()
    assert [] == [name for name in datasets(weak) if "chunter-" in name]


def received(host: Host) -> list[str]:
    """Snapshots of datasets beside machines."""
    names = host.tool("zfs", "list", "-H", "-o", "name", "-t", "snapshot").stdout.split()
    return [name for name in names if "chunter-" in name]


async def test_what_a_lost_command_left_is_put_in_order(weak: Host, ears: Ears, bucket: Bucket):
    """Notes of a command that nobody knows any more: its hold, its datasets and its uploads go, all else stays."""
    uuid = await made(weak, ears)
    await good(weak, ears, "snapshot.create", uuid, snapshot="one")
    assert 0 == await weak.stop()
    lost, key, beside = "lost-1", f"{uuid}/one", f"zones/chunter-{tag('lost-1')}"
    weak.tool("zfs", "hold", f"chunter-{tag(lost)}", f"zones/{uuid}@one")
    weak.tool("zfs", "create", beside)
    upload_id, _ = bucket.create_upload(key)
    bucket.create_upload(f"{key}.0001")
    segment = {"key": key, "upload_id": upload_id, "parts": {}, "etag": ""}
    state = {"key": key, "codec": "gzip", "engine": "any", "part_bytes": 1, "block_bytes": 1, "segment_parts": 1}
    state |= {"segments": [segment], "beginning": f"{key}.0001"}
    notes = {"holds": [f"zones/{uuid}@one"], "receiving": [beside], f"file {key}": state}
    with sqlite3.connect(weak.root / "var" / "chunter.db") as database:
        rows = [("backup", f"{lost} {name}", json.dumps(value)) for name, value in notes.items()]
        database.executemany("INSERT INTO notes (space, key, value) VALUES (?, ?, ?)", rows)
    database.close()
    assert 1 == holds(weak, uuid)

    await weak.start().ready()
    await until(lambda: not uploads(bucket, uuid))

    assert 0 == holds(weak, uuid)
    assert [] == [name for name in datasets(weak) if "chunter-" in name]
    assert 0 == weak.tool("zfs", "list", f"zones/{uuid}@one").returncode


@pytest.mark.thorough
async def test_with_force_nobody_waits_for_an_upload(weak: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """What pulls the ground away cancels a backup when it says so: the backup ends cancelled, the command succeeds."""
    uuid = await made(weak, ears)
    await good(weak, ears, "backup.create", uuid, snapshot="old")
    for number, (action, params) in enumerate(
        (
            ("snapshot.delete", {"snapshot": "new0"}),
            ("backup.restore", {"snapshot": "old"}),
            ("snapshot.rollback", {"snapshot": "old"}),
            ("machine.delete", {}),
        )
    ):
        proxy.harm("stall", "PUT", path=f"{uuid}/new{number}")
        backup = weak.send("backup.create", uuid, params={"snapshot": f"new{number}"})
        await until(lambda name=f"{uuid}/new{number}?": proxy.count("PUT", name) > 0)
        await good(weak, ears, action, uuid, **params, force=True)
        done = await ears.result(backup)
        assert ("cancelled", "cancelled") == (done["status"], done["error"]["code"]), action

    assert ["old", "old.manifest.json", "old.xml"] == keys(bucket, uuid)
    assert [] == uploads(bucket, uuid)
