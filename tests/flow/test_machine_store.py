"""machine.store: a machine goes from its host when, and only when, its backup is there whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from backup_parts import good, guid, made, run, send_delay, settings_for, tree
from worlds import Ears, Host, new_uuid

from chunter_nsq.storage.account import Account
from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("zfs_pool", "s3_servers", "backup_parts")


@pytest.fixture
def small(shared_small: Host) -> Host:
    """One for all: each backs up machines of its own."""
    return shared_small


def written(host: Host, uuid: str, text: str) -> None:
    """A file in a machine."""
    tree(host, uuid).mkdir(parents=True, exist_ok=True)
    (tree(host, uuid) / "file").write_text(text)


def rules_there(host: Host) -> list[str]:
    """The texts of all firewall rules."""
    return [rule["rule"] for rule in json.loads(host.tool("fwadm", "list", "-j").stdout)]


def is_here(host: Host, uuid: str) -> bool:
    """Whether vmadm knows the machine."""
    return 0 == host.tool("vmadm", "get", uuid).returncode


async def test_stored_and_brought_back(small: Host, ears: Ears):
    """The machine goes with its rules, is told as stored and not as deleted, and comes back as it was."""
    uuid = await made(small, ears)
    written(small, uuid, "kept")
    await good(small, ears, "firewall.update", uuid, rules=[f"FROM any TO vm {uuid} ALLOW tcp PORT 22"])
    await good(small, ears, "backup.create", uuid, snapshot="one")
    await good(small, ears, "backup.create", uuid, snapshot="two", parent="one")
    planned = await good(small, ears, "machine.store", uuid, dry_run=True)
    assert ([["usr/sbin/vmadm", "delete", uuid]], None) == (planned["argv"], planned["found"]["unsaved"])
    assert is_here(small, uuid)
    done = await good(small, ears, "machine.store", uuid)

    assert ("stored", "two", ["one", "two"], 1) == (
        done["state"], done["backup"], done["chain"], len(done["rules"]),
    )  # fmt: skip
    assert not is_here(small, uuid)
    assert [] == [rule for rule in rules_there(small) if uuid in rule]
    await ears.until(lambda event: event["type"] == "chunter.zone.stored" and event["subject"] == uuid)
    assert "stored" == (await ears.state(uuid, "stored"))["data"]["data"]
    assert [] == ears.of("chunter.zone.deleted", uuid)
    await good(small, ears, "backup.restore", uuid, snapshot="two")
    assert "kept" == (tree(small, uuid) / "file").read_text()
    await ears.when(lambda: 2 == len(ears.of("chunter.zone.created", uuid)))
    await good(small, ears, "machine.delete", uuid)
    await ears.until(lambda event: event["type"] == "chunter.zone.deleted" and event["subject"] == uuid)


@pytest.mark.thorough
async def test_what_is_no_proof(small: Host, ears: Ears, bucket: Bucket):
    """No backup, none with a configuration, an object that is gone, a missing link: refused, and the machine stays."""
    uuid = await made(small, ears)
    nothing = await run(small, ears, "machine.store", uuid, force=True)
    assert ("invalid_state", True) == (nothing["error"]["code"], "backup.create" in nothing["error"]["message"])
    await good(small, ears, "backup.create", uuid, snapshot="bare", xml=False)
    bare = await run(small, ears, "machine.store", uuid)
    assert "has no configuration" in bare["error"]["message"]
    await good(small, ears, "backup.create", uuid, snapshot="full")
    await good(small, ears, "backup.create", uuid, snapshot="more", parent="full")
    kept = bucket.get(f"{uuid}/full")
    bucket.delete(f"{uuid}/full")
    gone = await run(small, ears, "machine.store", uuid, force=True)
    assert ("invalid_state", f"{uuid}/full is gone") == (
        gone["error"]["code"], gone["error"]["details"]["faults"][0]["message"],
    )  # fmt: skip
    bucket.put(f"{uuid}/full", kept)
    bucket.delete(f"{uuid}/full.manifest.json")
    broken = await run(small, ears, "machine.store", uuid)
    assert ("invalid_state", True) == (broken["error"]["code"], "full backup" in broken["error"]["message"])
    assert is_here(small, uuid)
    stranger = await run(small, ears, "machine.store", new_uuid())
    assert "not_found" == stranger["error"]["code"]


@pytest.mark.thorough
async def test_what_was_written_since_is_not_lost(small: Host, ears: Ears):
    """A change after the newest backup keeps the machine here, unless force says that it may go."""
    uuid = await made(small, ears)
    written(small, uuid, "first")
    await good(small, ears, "backup.create", uuid, snapshot="one")
    written(small, uuid, "later")
    refused = await run(small, ears, "machine.store", uuid)
    assert "invalid_state" == refused["error"]["code"]
    assert "bytes were written" in refused["error"]["details"]["unsaved"]
    assert is_here(small, uuid)
    done = await good(small, ears, "machine.store", uuid, force=True)
    assert ("one", False) == (done["backup"], is_here(small, uuid))


async def test_an_upload_is_waited_for_or_given_up(small: Host, ears: Ears):
    """Without force it waits for a backup that uploads, and counts it; with force that backup is cancelled."""
    uuid = await made(small, ears)
    await good(small, ears, "backup.create", uuid, snapshot="one")
    send_delay(small, 40.0)
    upload = small.send("backup.create", uuid, params={"snapshot": "two", "parent": "one"})
    await ears.when(
        lambda: "two" in [event["data"]["data"]["uuid"] for event in ears.of("chunter.backup.update", uuid)]
    )
    store = small.send("machine.store", uuid, params={"force": True})
    ends = [await ears.result(one) for one in (upload, store)]
    assert ["cancelled", "succeeded"] == [one["status"] for one in ends], ends
    assert "one" == ends[1]["result"]["backup"]


@pytest.mark.thorough
async def test_real_datasets(backed: Host, ears: Ears):
    """With a ZFS that cannot say what was written, a machine that never ran since its backup may go and comes back."""
    uuid = await made(backed, ears, quota=1)
    written(backed, uuid, "kept")
    await good(backed, ears, "backup.create", uuid, snapshot="one")
    before = guid(backed, f"zones/{uuid}@one")
    assert "stored" == (await good(backed, ears, "machine.store", uuid))["state"]
    await good(backed, ears, "backup.restore", uuid, snapshot="one")
    assert (before, "kept") == (guid(backed, f"zones/{uuid}@one"), (tree(backed, uuid) / "file").read_text())


async def test_a_killed_agent_says_stored(new_host: Callable[..., Host], account: Account, ears: Ears):
    """Killed while vmadm deletes, the next agent finishes, and tells the machine as stored."""
    host = await new_host(settings=settings_for(account)).start().ready()
    uuid = await made(host, ears)
    await good(host, ears, "backup.create", uuid, snapshot="one")
    host.latency(delete=3.0)
    command = host.send("machine.store", uuid)
    async with asyncio.timeout(20):
        while not any(b"delete" in words for words in host.tool_lines()):
            await asyncio.sleep(0.05)
    host.kill()
    await host.start().ready()
    done = await ears.result(command, 30)
    assert ("succeeded", "stored") == (done["status"], done["result"]["state"]), done
    await ears.until(lambda event: event["type"] == "chunter.zone.stored")
    assert [] == ears.of("chunter.zone.deleted", uuid)


@pytest.mark.parametrize("rules", [0, 2])
async def test_a_deleted_machine_leaves_no_rules(small: Host, ears: Ears, rules: int):
    """machine.delete removes the rules that were made for the machine, and none of others."""
    uuid = await made(small, ears)
    texts = [f"FROM any TO vm {uuid} ALLOW tcp PORT {port}" for port in range(1, rules + 1)]
    await good(small, ears, "firewall.update", uuid, rules=texts)
    small.tool("fwadm", "add", "-e", "-g", "--", "FROM any TO all vms ALLOW icmp TYPE 8 CODE 0")
    done = await good(small, ears, "machine.delete", uuid)
    assert rules == len(done["rules"])
    left = rules_there(small)
    assert "FROM any TO all vms ALLOW icmp TYPE 8 CODE 0" in left
    assert [] == [rule for rule in left if uuid in rule]
