from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
import time

import pytest
from core_parts import told
from dispatcher_parts import FINAL, LANES, OTHER, VM, Delivery, Script, opened_host, until

from chunter_nsq import execution
from chunter_nsq.actions import Done, Progress
from chunter_nsq.authority import Key, signature
from chunter_nsq.dispatcher import Limits
from chunter_nsq.errors import InvalidState, NotFound, ToolFailed

PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
async def host(tmp_path):
    """A host with a fresh journal."""
    async with opened_host(tmp_path / "chunter.db") as host:
        yield host


async def test_command_is_accepted_before_it_runs_and_ends_once(host):
    """Accepted is told when it is on disk, then exactly one end with the result and its events before it."""
    host.script.steps["c1"] = [told(number=1), Done({"state": "stopped"}, (told(number=2),))]
    await host.send("c1")
    assert "accepted" == (await host.journal.find("c1")).status
    host.let_go("c1")
    end = await host.end("c1")
    assert ({"state": "stopped"}, ["accepted", "succeeded"]) == (end["result"], host.statuses("c1"))
    numbers = [json.loads(body)["data"].get("number") for topic, body in host.nsqd.taken if topic == "chunter.zone"]
    assert [1, 2] == numbers


async def test_query_answers_without_being_announced(host):
    """A query has one message: its answer."""
    host.script.steps["c1"] = [Done({"version": "1"})]
    await host.send("c1", "host.ping", uuid=None)
    await host.end("c1")
    assert ["succeeded"] == host.statuses("c1")


async def test_same_id_runs_once(host):
    """A redelivered command tells its record again and does not run again, while it runs and after its end."""
    await host.send("c1")
    await host.began("c1")
    await host.send("c1")
    host.let_go("c1")
    await host.end("c1")
    await host.send("c1")
    await until(lambda: len(host.told()) == 4)
    assert (["c1"], [False, True, False, True]) == (host.script.began, [one["duplicate"] for one in host.told()])


async def test_commands_of_one_machine_run_in_order(host):
    """The next begins after the end of the one before; another VM does not wait, nor does a query."""
    for name in ("c1", "c2"):
        await host.send(name)
    await host.send("c3", uuid=OTHER)
    await host.send("c4", "machine.get")
    await host.began("c1", "c3", "c4")
    assert "c2" not in host.script.began
    host.let_go("c1", "c2")
    await host.end("c2")
    assert ["succeeded"] == [one["status"] for one in host.told() if one["command"] == "c1" and one["status"] in FINAL]


@pytest.mark.parametrize(
    ("fault", "code"),
    [(ToolFailed("vmadm stop ended with 1", {"exit_status": 1}), "tool_failed"), (NotFound("no VM"), "not_found"),
     (KeyError("bug"), "internal"), (sqlite3.OperationalError("disk"), "internal")],
)  # fmt: skip
async def test_fault_of_a_handler_is_a_failed_end(host, fault, code):
    """Whatever a handler raises becomes its command's end; the next command runs."""
    host.script.faults["c1"] = fault
    await host.send("c1")
    await host.send("c2")
    host.let_go("c1", "c2")
    assert ("failed", code) == ((await host.end("c1"))["status"], (await host.end("c1"))["error"]["code"])
    assert "succeeded" == (await host.end("c2"))["status"]


async def test_handler_without_a_result_fails(host):
    """A handler that forgets its result does not leave its command open."""
    host.script.steps["c1"] = [Progress("copying")]
    host.let_go("c1")
    await host.send("c1")
    assert "internal" == (await host.end("c1"))["error"]["code"]


async def test_expired_command_does_not_run(host):
    """What is past its time is told as expired and nothing else."""
    await host.send("c1", expires=PAST)
    await host.send("c2", "host.ping", uuid=None, expires=PAST)
    assert ["expired", "expired"] == [(await host.end(name))["status"] for name in ("c1", "c2")]
    assert ([], ["expired"]) == (host.script.began, host.statuses("c1"))


async def test_group_that_is_off_is_forbidden(tmp_path):
    """A switched-off feature is refused with what switches it on."""
    async with opened_host(tmp_path / "db", off={"snapshot_api"}) as host:
        await host.send("c1", "snapshot.create")
        end = await host.end("c1")
    assert ("rejected", "forbidden", True) == (
        end["status"], end["error"]["code"], "snapshot_api = on" in end["error"]["message"],
    )  # fmt: skip


async def test_unreadable_message_is_a_dead_letter(host):
    """What is no command is kept whole as far as one message holds it, with where it came from."""
    bodies = (b"\xff\xfe", b"[1]", b"x" * 1_000_000, b"\xff" * 770_000, b"\x01" * 2**20)
    for body in bodies:
        await host.dispatcher.accept(Delivery(body))
    await until(lambda: len(host.nsqd.taken) == len(bodies))
    kept = [json.loads(body)["data"]["data"] for _, body in host.nsqd.taken]
    read = [base64.b64decode(one["body"]) if one["encoding"] == "base64" else one["body"].encode() for one in kept]
    assert list(bodies[:4]) == read[:4]
    assert bodies[4][: len(read[4])] == read[4]
    assert [False, False, False, False, True] == [one["truncated"] for one in kept]
    assert (2**20, "0d") == (kept[4]["bytes"], kept[4]["message_id"])


async def test_signed_commands_only(tmp_path):
    """With keys an unsigned command is rejected, a signed one runs, and its nonce counts once, redelivery aside."""
    key = Key("ops", b"sixteen letters!")
    async with opened_host(tmp_path / "db", keys={"ops": key}) as host:

        def signed(name):
            document = {
                "id": name,
                "action": "host.ping",
                "auth": {"key": "ops", "ts": time.time(), "nonce": "n-1234567"},
            }
            document["auth"]["hmac"] = signature(document, key.secret)
            return Delivery(json.dumps(document).encode())

        await host.send("c0", "host.ping", uuid=None)
        first = signed("c1")
        for delivery in (first, first, signed("c2")):
            await host.dispatcher.accept(delivery)
        await until(lambda: len(host.told()) == 4)
        codes = {(one["command"], one["status"], one["error"] and one["error"]["code"]) for one in host.told()}
    assert {("c0", "rejected", "not_authorized"), ("c2", "rejected", "not_authorized")} < codes
    assert ["c1"] == host.script.began


async def test_queued_command_is_cancelled_without_running(host):
    """What waits behind another is cancelled at once; the rest of the line goes on."""
    for name in ("c1", "c2", "c3"):
        await host.send(name)
    await host.began("c1")
    assert {"command": "c2", "was": "queued"} == await host.dispatcher.cancel("c2")
    host.let_go("c1", "c3")
    await host.end("c3")
    assert (["c1", "c3"], ["accepted", "cancelled"]) == (host.script.began, host.statuses("c2"))


async def test_running_command_is_cancelled_when_it_may_be(host):
    """A running command that allows it ends cancelled, once."""
    await host.send("c1", "machine.copy")
    await host.began("c1")
    assert {"command": "c1", "was": "running"} == await host.dispatcher.cancel("c1")
    assert ("cancelled", ["accepted", "cancelled"]) == ((await host.end("c1"))["status"], host.statuses("c1"))


async def test_running_command_that_may_not_be_cancelled_goes_on(host):
    """What would stay half-done is not cut off, and an unknown or ended command cannot be cancelled."""
    await host.send("c1")
    await host.began("c1")
    with pytest.raises(InvalidState):
        await host.dispatcher.cancel("c1")
    with pytest.raises(NotFound):
        await host.dispatcher.cancel("nobody")
    host.let_go("c1")
    await host.end("c1")
    with pytest.raises(InvalidState):
        await host.dispatcher.cancel("c1")


async def test_progress_is_told_at_most_once_a_second(host):
    """However much a handler says, progress is published with reason."""
    host.script.steps["c1"] = [Progress("copying", n, 100) for n in range(100)] + [Done({})]
    host.let_go("c1")
    await host.send("c1")
    await host.end("c1")
    assert ["accepted", "succeeded"] == host.statuses("c1")


async def test_silent_work_still_shows_that_it_lives(host, monkeypatch):
    """A handler that says nothing is told as running now and then."""
    monkeypatch.setattr(execution, "PULSE_SECONDS", 0.06)
    await host.send("c1")
    await until(lambda: host.statuses("c1").count("progress") >= 2)
    host.let_go("c1")
    await host.end("c1")


async def test_answer_that_is_too_large_fails_with_a_reason(host):
    """An answer over what NSQ carries says so."""
    host.script.steps["c1"] = [Done({"machines": "x" * 2**20})]
    await host.send("c1", "host.ping", uuid=None)
    assert "unsupported" == (await host.end("c1"))["error"]["code"]


async def test_restart_settles_what_was_left(tmp_path):
    """What waited runs; what ran is run again with word of it after its orphans are settled, or told as interrupted."""
    path = tmp_path / "db"
    async with opened_host(path) as host:
        await host.send("c1")
        await host.send("c2")
        await host.send("c3", "machine.push", uuid=OTHER)
        await host.began("c1", "c3")
    script = Script()
    async with opened_host(path, script) as host:
        assert 3 == await host.dispatcher.recover()
        host.let_go("c1", "c2")
        assert "succeeded" == (await host.end("c2"))["status"]
        assert ("interrupted", "interrupted") == (
            (await host.end("c3"))["status"], (await host.end("c3"))["error"]["code"],
        )  # fmt: skip
        resumed = [script.seen[name].resumed is not None for name in ("c1", "c2")]
        assert (["c1", "c2"], [True, False], [("c1", 60.0)]) == (script.began, resumed, host.orphans)


async def test_drain_lets_work_end_in_time(host):
    """What runs may end, what waits stays for the next start."""
    await host.send("c1")
    await host.send("c2")
    await host.began("c1")
    draining = asyncio.create_task(host.dispatcher.drain(5))
    await asyncio.sleep(0.01)
    host.let_go("c1", "c2")
    await draining
    assert (["c2"], ["c1"]) == ([one.record.id for one in await host.journal.unfinished()], host.script.began)


async def test_drain_cuts_what_takes_too_long(host):
    """What does not end in time is left to the journal, without an end."""
    await host.send("c1", "machine.copy")
    await host.began("c1")
    await asyncio.wait_for(host.dispatcher.drain(0.02), 5)
    assert ["c1"] == [one.record.id for one in await host.journal.unfinished()]


async def test_full_queue_holds_messages_back(tmp_path):
    """While as many wait as may, the next message stays with nsqd; it is taken once one has ended."""
    async with opened_host(tmp_path / "db", limits=Limits(LANES, 60.0, queued=2)) as host:
        await host.send("c1")
        await host.send("c2")
        third = asyncio.create_task(host.send("c3"))
        await asyncio.sleep(0.02)
        assert not third.done()
        host.let_go("c1", "c2", "c3")
        await asyncio.wait_for(third, 5)
        await host.end("c3")


async def test_handler_that_takes_too_long_is_stopped(tmp_path, monkeypatch):
    """A machine command has a time limit; what it ran is stopped and the line goes on."""
    monkeypatch.setattr(execution, "_MARGIN_SECONDS", 0.02)
    async with opened_host(tmp_path / "db", limits=Limits(LANES, 0.02)) as host:
        await host.send("c1")
        assert "tool_timeout" == (await host.end("c1"))["error"]["code"]


async def test_heartbeat_sees_what_runs(host):
    """What runs is told with its VM, without queries."""
    await host.send("c1")
    await host.send("c2", "machine.get")
    await host.began("c1", "c2")
    assert [("c1", "machine.stop", VM)] == [
        (one["command"], one["action"], one["uuid"]) for one in host.dispatcher.running()
    ]
