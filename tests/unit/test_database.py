from __future__ import annotations

import asyncio
import sqlite3
import threading

import pytest
from core_parts import opened_database

from chunter_nsq.database import Database
from chunter_nsq.schema import STEPS


@pytest.fixture
def path(tmp_path):
    """A file that is not there yet."""
    return tmp_path / "var" / "chunter.db"


def insert(key, value="v"):
    """Work that writes a row."""
    return lambda connection: connection.execute("INSERT INTO notes VALUES ('t', ?, ?)", (key, value)).rowcount


def keys(connection):
    """Work that reads all rows."""
    return [row[0] for row in connection.execute("SELECT key FROM notes ORDER BY key")]


class Recorder:
    """A participant that writes down what it is told."""

    def __init__(self):
        self.calls = []
        self.fault = None

    def before_commit(self, _connection):
        """Fail once, when there is a fault."""
        self.calls.append("before")
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault

    def committed(self):
        """Leave something for the loop."""
        self.calls.append("committed")
        return lambda: self.calls.append("loop")

    def rolled_back(self):
        """Write it down."""
        self.calls.append("rolled back")


async def stall(database):
    """Keep the thread busy until the gate is set, so that what is submitted meanwhile becomes one group."""
    busy, gate = threading.Event(), threading.Event()

    def hold(_):
        busy.set()
        gate.wait(5)

    database.submit(hold)
    await asyncio.to_thread(busy.wait, 5)
    return gate


async def test_answers_what_the_work_returned(path):
    """A future has the answer of its work."""
    async with opened_database(path) as database:
        assert 1 == await database.submit(insert("a"))
        assert ["a"] == await database.submit(keys)


async def test_file_is_private_wal_and_synchronous(path):
    """The file is its owner's alone, in WAL mode, and each commit is on disk."""
    async with opened_database(path) as database:
        pragma = [
            await database.submit(lambda c, p=p: c.execute(f"PRAGMA {p}").fetchone()[0])
            for p in ("journal_mode", "synchronous")
        ]
        assert ["wal", 2] == pragma
        assert 0o600 == path.stat().st_mode & 0o777


async def test_work_submitted_meanwhile_shares_a_commit(path):
    """Everything that waits when the thread is free is written in one transaction."""
    async with opened_database(path) as database:
        gate = await stall(database)
        futures = [database.submit(insert(str(n))) for n in range(50)]
        gate.set()
        await asyncio.gather(*futures)
        assert 2 == database.groups


async def test_futures_resolve_in_order_of_submission(path):
    """Within and across groups, and around one that fails, futures are resolved in the order of submission."""
    done = []
    async with opened_database(path) as database:
        gate = await stall(database)
        futures = [database.submit(insert("same" if n in {3, 7} else str(n))) for n in range(20)]
        for number, future in enumerate(futures):
            future.add_done_callback(lambda _, n=number: done.append(n))
        gate.set()
        await asyncio.gather(*futures, return_exceptions=True)
        assert list(range(20)) == done


async def test_future_resolves_only_after_its_commit(path):
    """What a resolved future wrote is seen by another connection."""
    async with opened_database(path) as database:
        with sqlite3.connect(path) as other:
            for number in range(30):
                await database.submit(insert(f"{number:02}"))
                assert number + 1 == other.execute("SELECT count(*) FROM notes").fetchone()[0]
        other.close()


@pytest.mark.parametrize("guilty", [{0}, {4}, {9}, {0, 9}, {2, 3, 4}])
async def test_failing_work_fails_alone(path, guilty):
    """Work that raises has its own fault; the rest of its group is written once each."""

    def fail(_):
        raise KeyError("mine")

    async with opened_database(path) as database:
        gate = await stall(database)
        futures = [database.submit(fail if n in guilty else insert(str(n))) for n in range(10)]
        gate.set()
        answers = await asyncio.gather(*futures, return_exceptions=True)
        assert [n in guilty for n in range(10)] == [isinstance(answer, KeyError) for answer in answers]
        assert [str(n) for n in range(10) if n not in guilty] == await database.submit(keys)


async def test_one_fault_in_a_large_group_costs_few_commits(path):
    """The innocent of a group of 512 are written in few transactions, not in one each."""

    def fail(_):
        raise KeyError("mine")

    async with opened_database(path) as database:
        gate = await stall(database)
        futures = [database.submit(fail if n == 300 else insert(str(n))) for n in range(512)]
        gate.set()
        await asyncio.gather(*futures, return_exceptions=True)
        assert database.groups <= 12


async def test_participant_hears_of_commit_on_the_loop_before_the_futures(path):
    """The participant writes before the commit, and what it returns runs on the loop before the futures resolve."""
    async with opened_database(path) as database:
        database.participant = recorder = Recorder()
        future = database.submit(insert("a"))
        future.add_done_callback(lambda _: recorder.calls.append("future"))
        await future
        await asyncio.sleep(0)
        assert ["before", "committed", "loop", "future"] == recorder.calls


async def test_participant_that_fails_undoes_the_work(path):
    """A participant that cannot write is told that nothing was, the work has its fault, and the next is written."""
    async with opened_database(path) as database:
        database.participant = recorder = Recorder()
        recorder.fault = sqlite3.OperationalError("disk full")
        with pytest.raises(sqlite3.OperationalError):
            await database.submit(insert("a"))
        await database.submit(insert("b"))
        assert ["before", "rolled back", "before", "committed", "loop"] == recorder.calls
        assert ["b"] == await database.submit(keys)


async def test_cancelled_future_leaves_the_rest_alone(path):
    """Whoever gives up waiting does not stop the work, nor that of others."""
    async with opened_database(path) as database:
        gate = await stall(database)
        first, second = database.submit(insert("a")), database.submit(insert("b"))
        first.cancel()
        gate.set()
        await second
        assert ["a", "b"] == await database.submit(keys)


async def test_close_finishes_what_was_submitted(path):
    """Work that was submitted before the end is written."""
    async with opened_database(path) as database:
        gate = await stall(database)
        futures = [database.submit(insert(str(n))) for n in range(2500)]
        gate.set()
    assert 2500 == len(await asyncio.gather(*futures))


async def test_submit_while_closing_is_refused(path):
    """Work that comes while the file is being closed is refused at once instead of waiting for ever."""
    database = Database(path)
    await database.open()
    gate = await stall(database)
    closing = asyncio.create_task(database.close())
    await asyncio.sleep(0)
    with pytest.raises(sqlite3.ProgrammingError):
        database.submit(insert("late"))
    gate.set()
    await closing


async def test_submit_before_open_is_refused(path):
    """A database that is not open takes no work."""
    with pytest.raises(sqlite3.ProgrammingError):
        Database(path).submit(keys)


async def test_concurrent_submitters_from_many_tasks_lose_nothing(path):
    """A thousand tasks write their rows, each once."""
    async with opened_database(path) as database:

        async def one(number):
            await asyncio.sleep(0)
            await database.submit(insert(f"{number:04}"))

        await asyncio.gather(*(one(number) for number in range(1000)))
        assert [f"{number:04}" for number in range(1000)] == await database.submit(keys)


async def test_newer_schema_without_a_way_back_is_refused(path):
    """A file of a newer version that left no way back is refused, with what to move and what is lost."""
    async with opened_database(path):
        pass
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version={len(STEPS) + 1}")
    other.close()
    with pytest.raises(sqlite3.DatabaseError) as refused:
        await Database(path).open()
    said = str(refused.value)
    words = (f"{path}: a newer chunter", f"schema {len(STEPS) + 1}", "move the file away together with its", "Lost are")
    assert [] == [part for part in words if part not in said], said


async def test_reopening_keeps_epoch_and_rows(path):
    """A file that is opened again is the same journal."""

    def epoch(connection):
        return connection.execute("SELECT value FROM facts WHERE name = 'epoch'").fetchone()[0]

    async with opened_database(path) as database:
        await database.submit(insert("a"))
        first = await database.submit(epoch)
    async with opened_database(path) as database:
        assert (first, ["a"]) == (await database.submit(epoch), await database.submit(keys))


async def test_broken_file_is_named(path):
    """A file that is no database is refused by its name, and left as it is."""
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 400)
    with pytest.raises(sqlite3.DatabaseError) as refused:
        await Database(path).open()
    assert str(path) in str(refused.value)
    assert path.read_bytes().startswith(b"not a database")


async def test_place_that_cannot_be_made_is_named(tmp_path):
    """Where no directory can be made the fault names the place."""
    (tmp_path / "var").write_text("a file")
    with pytest.raises(OSError, match="var"):
        await Database(tmp_path / "var" / "chunter.db").open()


async def test_file_held_by_another_fails_the_work_and_recovers(path):
    """While another process holds the file, work fails with its reason; later work is written."""
    async with opened_database(path) as database:
        await database.submit(lambda connection: connection.execute("PRAGMA busy_timeout=50").fetchone())
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            await database.submit(insert("a"))
        other.execute("ROLLBACK")
        other.close()
        assert 1 == await database.submit(insert("b"))
