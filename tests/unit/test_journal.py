from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager

import pytest
from core_parts import HOST, Nsqd, command, opened_outbox, told

from chunter_nsq import journal as journal_module
from chunter_nsq.errors import NotFound
from chunter_nsq.journal import Journal, NonceSeen, Outcome
from chunter_nsq.outbox import EventTooLarge

VM = "0a1b2c3d-0000-4000-8000-000000000001"


@asynccontextmanager
async def opened_journal(path, nsqd=None):
    """A journal on its file."""
    async with opened_outbox(path, nsqd) as outbox:
        yield Journal(outbox._database, outbox, HOST), outbox


@pytest.fixture
def path(tmp_path):
    """A file that is not there yet."""
    return tmp_path / "chunter.db"


@pytest.fixture
def nsqd():
    """Takes what is published."""
    return Nsqd()


def accept(journal, number, **members):
    """A command's acceptance, as the dispatcher asks for it."""
    nonce, announce = members.pop("nonce", None), members.pop("announce", True)
    one = command(number, **members)
    return journal.accept(one, uuid=one.uuid, announce=announce, nonce=nonce)


async def results(outbox, nsqd):
    """The data of what was published, after everything is sent."""
    assert await outbox.flush(5)
    return [json.loads(body)["data"] for _, body in nsqd.taken]


async def test_life_of_a_command_is_told_step_by_step(path, nsqd):
    """Accepted, progress and the end are published in order, each with the whole record."""
    async with opened_journal(path, nsqd) as (journal, outbox):
        assert await accept(journal, 1, uuid=VM) is None
        await journal.begin("c1")
        await journal.progress("c1", {"phase": "copying", "done": 1})
        await journal.finish("c1", Outcome("succeeded", {"state": "stopped"}), [told(number=7)])
        accepted, progress, event, end = await results(outbox, nsqd)
    assert ["accepted", "progress", "succeeded"] == [one["status"] for one in (accepted, progress, end)]
    assert [None, {"phase": "copying", "done": 1}, None] == [one["progress"] for one in (accepted, progress, end)]
    assert (7, {"state": "stopped"}, None) == (event["number"], end["result"], end["error"])
    assert {("c1", "machine.stop", VM, HOST, False)} == {
        tuple(one[name] for name in ("command", "action", "uuid", "host", "duplicate"))
        for one in (accepted, progress, end)
    }
    assert [True] * 3 == [bool(end[name]) for name in ("received", "started", "finished")]


async def test_unannounced_command_is_silent(path, nsqd):
    """A query is journalled without a message."""
    async with opened_journal(path, nsqd) as (journal, outbox):
        await accept(journal, 1, announce=False)
        assert [] == await results(outbox, nsqd)
        assert "accepted" == (await journal.find("c1")).status


async def test_known_id_gives_its_record_again(path, nsqd):
    """The same id is not accepted twice: its record is answered and published as a duplicate, to its own reply_to."""
    async with opened_journal(path, nsqd) as (journal, outbox):
        await accept(journal, 1, reply_to="first")
        await journal.finish("c1", Outcome("failed", fault=NotFound("no such VM")))
        known = await accept(journal, 1, reply_to="second")
        last = (await results(outbox, nsqd))[-1]
    assert ("failed", True, "not_found") == (known.status, last["duplicate"], last["error"]["code"])
    assert {"first"} == {topic for topic, _ in nsqd.taken}


async def test_racing_copies_are_accepted_once(path):
    """Of a hundred deliveries of one message, in one group, one is new."""
    async with opened_journal(path) as (journal, _):
        answers = await asyncio.gather(*(accept(journal, 1) for _ in range(100)))
        assert (1, 1) == (answers.count(None), len(await journal.unfinished()))


async def test_nonce_is_used_once(path):
    """A second command with the same nonce is refused and leaves nothing; the commands around it are accepted."""
    async with opened_journal(path) as (journal, _):
        futures = [accept(journal, n, nonce="ops same" if n in {2, 5} else f"ops {n}") for n in range(8)]
        answers = await asyncio.gather(*futures, return_exceptions=True)
        assert [n == 5 for n in range(8)] == [isinstance(answer, NonceSeen) for answer in answers]
        assert await journal.find("c5") is None


async def test_redelivery_of_a_signed_command_is_a_duplicate(path):
    """The same command with the same nonce is known, not an abuse of its nonce."""
    async with opened_journal(path) as (journal, _):
        await accept(journal, 1, nonce="ops 1")
        assert "c1" == (await accept(journal, 1, nonce="ops 1")).id


async def test_unfinished_commands_come_back_in_order_of_acceptance(path):
    """After a restart what has no end is there, in order, with what it needs to run, without its signature."""
    async with opened_journal(path) as (journal, _):
        for number in (5, 3, 9, 1):
            await accept(journal, number, uuid=VM, document={"params": {"force": True}, "auth": {"hmac": "s"}})
        await journal.begin("c9")
        await journal.finish("c3", Outcome("succeeded", {}))
    async with opened_journal(path) as (journal, _):
        left = await journal.unfinished()
    assert ["c5", "c9", "c1"] == [one.record.id for one in left]
    assert [False, True, False] == [one.record.started is not None for one in left]
    assert {"id": "c5", "action": "machine.stop", "params": {"force": True}} == left[0].document


async def test_end_forgets_the_message(path):
    """After the end nothing of the message is in the journal: it may hold passwords."""
    async with opened_journal(path) as (journal, outbox):
        await accept(journal, 1, document={"params": {"payload": {"root_authorized_keys": "hunter2-secret"}}})
        await journal.finish("c1", Outcome("succeeded", {}))
        await outbox._database.submit(lambda _: None)
        dump = await outbox._database.submit(lambda c: "\n".join(map(str, c.execute("SELECT * FROM commands"))))
        assert "hunter2" not in dump
    assert b"hunter2" not in path.read_bytes()


async def test_first_end_counts(path, nsqd):
    """A second end, and progress after the end, write and publish nothing."""
    async with opened_journal(path, nsqd) as (journal, outbox):
        await accept(journal, 1)
        await journal.finish("c1", Outcome("succeeded", {"n": 1}))
        await journal.finish("c1", Outcome("cancelled"), [told()])
        await journal.progress("c1", {"phase": "late"})
        record = await journal.find("c1")
        assert ["accepted", "succeeded"] == [one["status"] for one in await results(outbox, nsqd)]
    assert ("succeeded", {"n": 1}, None) == (record.status, record.result, record.progress)


async def test_end_that_cannot_be_written_leaves_the_command_unfinished(path):
    """When an event of the end is too large, neither the end nor any event of it is written."""
    async with opened_journal(path) as (journal, outbox):
        await accept(journal, 1)
        with pytest.raises(EventTooLarge):
            await journal.finish("c1", Outcome("succeeded", {}), [told(), told(size=2**20)])
        assert (["c1"], 1) == ([one.record.id for one in await journal.unfinished()], outbox.state().waiting)


async def test_started_keeps_its_first_time(path):
    """A command that is run again after a restart began when it first began."""
    async with opened_journal(path) as (journal, _):
        await accept(journal, 1)
        await journal.begin("c1")
        first = (await journal.find("c1")).started
        await journal.begin("c1")
        assert first == (await journal.find("c1")).started


async def test_prune_forgets_old_ends_and_nonces_only(path, monkeypatch):
    """Old records and nonces go; what has no end stays however old it is."""
    async with opened_journal(path) as (journal, outbox):
        for number in range(4):
            await accept(journal, number, nonce=f"ops {number}")
        await journal.finish("c0", Outcome("succeeded", {}))
        await journal.finish("c1", Outcome("succeeded", {}))
        week = time.time() - journal_module.RECORD_SECONDS - 1
        await outbox._database.submit(lambda c: c.execute("UPDATE commands SET finished = ? WHERE id = 'c0'", (week,)))
        await outbox._database.submit(lambda c: c.execute("UPDATE commands SET received = 1 WHERE id = 'c2'"))
        await outbox._database.submit(lambda c: c.execute("UPDATE nonces SET seen = 1 WHERE nonce = 'ops 3'"))
        await journal.prune()
        found = [await journal.find(f"c{number}") is not None for number in range(4)]
        assert [False, True, True, True] == found
        assert await accept(journal, 9, nonce="ops 3") is None
        monkeypatch.setattr(journal_module, "RECORD_LIMIT", 3)
        await journal.prune()
        assert [False, True] == [await journal.find(name) is not None for name in ("c1", "c2")]


async def test_prune_bounds_what_answers_weigh(path, monkeypatch):
    """Of many large answers the newest are kept, as far as they fit; a command without an end stays."""
    monkeypatch.setattr(journal_module, "RECORD_BYTES", 3500)
    async with opened_journal(path) as (journal, _):
        for number in range(8):
            await accept(journal, number)
            if number != 1:
                await journal.finish(f"c{number}", Outcome("succeeded", {"pad": "x" * 1000}))
        await journal.prune()
        kept = [number for number in range(8) if await journal.find(f"c{number}") is not None]
    assert [1, 5, 6, 7] == kept
