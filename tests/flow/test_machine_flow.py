"""A machine's life through a real nsqd, a real agent and the simulated platform."""

from __future__ import annotations

from itertools import pairwise

from worlds import Ears, Host, new_uuid, payload


async def test_a_machine_lives_from_create_to_delete(ears: Ears, host: Host) -> None:
    """Create, snapshot, stop, rollback, start and delete each succeed, and their events are true and in order."""
    uuid = new_uuid()
    done = await ears.result(host.send("machine.create", uuid, params={"payload": payload()}))
    assert "succeeded" == done["status"], done
    assert "running" == done["result"]["state"]
    await ears.state(uuid, "running")

    done = await ears.result(host.send("snapshot.create", uuid, params={"snapshot": "s1", "comment": "before"}))
    assert [f"zones/{uuid}@s1"] == done["result"]["datasets"]
    refused = await ears.result(host.send("snapshot.rollback", uuid, params={"snapshot": "s1"}))
    assert "invalid_state" == refused["error"]["code"]

    done = await ears.result(host.send("machine.stop", uuid, params={"force": True}))
    assert "stopped" == done["result"]["state"]
    await ears.state(uuid, "stopped")
    assert "succeeded" == (await ears.result(host.send("snapshot.rollback", uuid, params={"snapshot": "s1"})))["status"]
    listed = await ears.result(host.send("snapshot.list", uuid))
    assert [("s1", "before")] == [(one["snapshot"], one["comment"]) for one in listed["result"]["snapshots"]]
    assert "succeeded" == (await ears.result(host.send("snapshot.delete", uuid, params={"snapshot": "s1"})))["status"]
    assert "running" == (await ears.result(host.send("machine.start", uuid)))["result"]["state"]
    assert "deleted" == (await ears.result(host.send("machine.delete", uuid)))["result"]["state"]
    await ears.until(lambda event: event["type"] == "chunter.zone.deleted" and event["subject"] == uuid)

    states = [event["data"]["data"] for event in ears.of("chunter.zone.state", uuid)]
    assert ["installing_dataset", "creating"] == states[:2]
    assert all(before != after for before, after in pairwise(states)), states
    await ears.when(lambda: ears.of("chunter.snapshot.deleted", uuid) != [])
    kinds = [event["type"].rpartition(".")[2] for event in ears.heard if event["topic"] == "chunter.snapshot"]
    assert ["completed", "rollback", "deleted"] == kinds
