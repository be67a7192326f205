"""What a dispatcher must bear that nobody means to do."""

from __future__ import annotations

import asyncio
import json
import math
import time

import pytest
from core_parts import told
from dispatcher_parts import FINAL, LANES, Delivery, opened_host, until

from chunter_nsq import authority
from chunter_nsq.actions import Done
from chunter_nsq.authority import Key, signature
from chunter_nsq.dispatcher import Limits


@pytest.fixture
async def host(tmp_path):
    """A host with a fresh journal."""
    async with opened_host(tmp_path / "chunter.db") as host:
        yield host


@pytest.mark.parametrize("moment", range(12))
async def test_cancel_at_any_moment_of_the_end_gives_one_end(host, moment):
    """However late a cancellation comes, the command has exactly one end."""
    await host.send("c1", "machine.copy")
    await host.began("c1")
    host.let_go("c1")
    for _ in range(moment):
        await asyncio.sleep(0)
    job = host.dispatcher._jobs.get("c1")
    if job is not None and job.task is not None:
        job.is_cancelled = True
        job.task.cancel()
    await host.end("c1")
    await asyncio.sleep(0.02)
    assert 1 == len([one for one in host.statuses("c1") if one in FINAL])


async def test_result_that_json_lacks_is_a_failed_end(host):
    """A number that JSON does not have ends the command as failed instead of never."""
    host.script.steps["c1"] = [Done({"ratio": math.nan})]
    await host.send("c1", "host.ping", uuid=None)
    assert "internal" == (await host.end("c1", 1))["error"]["code"]


async def test_event_of_the_end_that_is_too_large_does_not_hold_up_the_line(host):
    """When an event that belongs to the end cannot be written, the command ends all the same."""
    host.script.steps["c1"] = [Done({}, (told(size=2**20),))]
    await host.send("c1")
    await host.send("c2")
    host.let_go("c1", "c2")
    assert "failed" == (await host.end("c1", 1))["status"]
    assert "succeeded" == (await host.end("c2"))["status"]


async def test_message_that_the_journal_cannot_hold_is_not_given_back_for_ever(host):
    """A message that can never be written is refused, not redelivered without end."""
    await host.dispatcher.accept(Delivery(b'{"id":"c1","action":"machine.create","params":{"payload":{"ram":1e999}}}'))
    await until(lambda: host.nsqd.taken)


async def test_refusal_that_is_too_large_is_not_given_back_for_ever(host):
    """A message with more faults than fit a refusal is refused, not redelivered without end."""
    members = {f"m{number}": 1 for number in range(20_000)}
    await host.dispatcher.accept(Delivery(json.dumps({"id": "c1", "action": "host.ping", **members}).encode()))
    assert "rejected" == (await host.end("c1"))["status"]


async def test_cancelling_what_waits_makes_room(tmp_path):
    """When all that waits is cancelled the next message is taken."""
    async with opened_host(tmp_path / "db", limits=Limits(LANES, 60.0, queued=3)) as host:
        for name in ("c1", "c2", "c3"):
            await host.send(name)
        await host.began("c1")
        for name in ("c2", "c3"):
            await host.dispatcher.cancel(name)
        host.let_go("c1")
        await host.end("c1")
        await asyncio.wait_for(host.send("c4"), 1)


async def test_one_place_in_the_queue_is_enough(tmp_path):
    """With room for a single command the next is taken after its end."""
    async with opened_host(tmp_path / "db", limits=Limits(LANES, 60.0, queued=1)) as host:
        host.let_go("c1", "c2")
        await host.send("c1")
        await asyncio.wait_for(host.send("c2"), 1)
        await host.end("c2")


async def test_late_redelivery_of_an_accepted_command_is_a_duplicate(tmp_path, monkeypatch):
    """A signed command that was accepted and comes again when its time is over has no second end."""
    key = Key("ops", b"sixteen letters!")
    async with opened_host(tmp_path / "db", keys={"ops": key}) as host:
        document = {"id": "c1", "action": "host.ping", "auth": {"key": "ops", "ts": time.time(), "nonce": "n-1234567"}}
        document["auth"]["hmac"] = signature(document, key.secret)
        delivery = Delivery(json.dumps(document).encode())
        await host.dispatcher.accept(delivery)
        await host.end("c1")
        monkeypatch.setattr(authority, "SKEW_SECONDS", -1)
        await host.dispatcher.accept(delivery)
        await until(lambda: len(host.told()) == 2)
        assert [("succeeded", False), ("succeeded", True)] == [(one["status"], one["duplicate"]) for one in host.told()]
