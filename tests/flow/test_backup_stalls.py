"""Stores that stand still: for a while, which a backup outlasts, and for longer, which it says."""

from __future__ import annotations

import pytest
from backup_parts import filled, good, holds, keys, made, parts, run, until
from s3_proxy import FaultProxy
from worlds import Ears, Host

from chunter_nsq.storage.bucket import Bucket

pytest_plugins = ("s3_servers", "backup_parts")


@pytest.mark.thorough
async def test_a_part_that_got_no_answer_is_sent_again(weak: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """A store that is silent for a while, then closes the line: the backup goes on and succeeds."""
    uuid = await filled(weak, ears)
    proxy.harm("stall", "PUT", query="partNumber=3", times=1)
    backup = weak.send("backup.create", uuid, params={"snapshot": "one"})
    await until(lambda: proxy.count("PUT", "partNumber=3") == 1 and parts(bucket, uuid) == 3)
    proxy.hang_up()
    done = await ears.result(backup, 60)

    assert "succeeded" == done["status"], done
    sent = [target for method, target in proxy.requests if method == "PUT" and f"{uuid}/one?" in target]
    assert ["1", "2", "3", "3", "4"] == sorted(target.rpartition("partNumber=")[2] for target in sent)
    seen = await good(weak, ears, "backup.verify", uuid, snapshot="one", level="restore")
    assert seen["good"], seen


@pytest.mark.thorough
async def test_a_store_that_never_answers_is_told(weak: Host, ears: Ears, proxy: FaultProxy, bucket: Bucket):
    """Half a minute of silence to the first question: the command fails, and nothing was touched before."""
    uuid = await made(weak, ears)
    stalled = proxy.harm("stall", "GET")
    done = await run(weak, ears, "backup.create", uuid, 90, snapshot="one")

    assert ("failed", "storage_failed") == (done["status"], done["error"]["code"]), done
    assert f"cannot read {uuid}/one.manifest.json: Read timeout" in done["error"]["message"]
    assert stalled.done > 0
    assert 0 != weak.tool("zfs", "list", f"zones/{uuid}@one").returncode
    assert ([], 0) == (keys(bucket, uuid), holds(weak, uuid))
    proxy.heal()
    await good(weak, ears, "backup.create", uuid, snapshot="one")
