"""The journal's form, there and back again, from whatever version wrote it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from chunter_nsq.schema import STEPS, Step, lack, migrate
from chunter_nsq.shelf import PLACES_PER_TOPIC

COLOUR = Step("ALTER TABLE commands ADD COLUMN colour TEXT;", "ALTER TABLE commands DROP COLUMN colour;")
# Quotes, and what a careless end of it would leave behind.
SAID = Step(
    "CREATE TABLE said (word TEXT); INSERT INTO facts VALUES ('word', 'it''s');",
    "DROP TABLE said; DELETE FROM facts WHERE value = 'it''s';",
)
NEWER = (*STEPS, COLOUR, SAID)
COMMAND = "INSERT INTO commands (id, action, document, status, received) VALUES (?, 'host.ping', '{}', 'accepted', 1.0)"


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A file that is not there yet."""
    one = sqlite3.connect(":memory:", isolation_level=None)
    yield one
    one.close()


def form(connection: sqlite3.Connection) -> tuple[int, dict[str, list[tuple[object, ...]]]]:
    """The version, and the columns of each table."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    columns = {name: connection.execute("SELECT * FROM pragma_table_info(?)", (name,)).fetchall() for name in tables}
    return connection.execute("PRAGMA user_version").fetchone()[0], columns


def ids(connection: sqlite3.Connection) -> list[str]:
    """The commands in their order."""
    return [name for (name,) in connection.execute("SELECT id FROM commands ORDER BY place")]


def test_an_older_chunter_goes_back_with_nothing_lost(connection):
    """The form is the older one's, and what was written before and after the newer one came is there."""
    migrate(connection)
    before, epoch = form(connection), connection.execute("SELECT value FROM facts WHERE name = 'epoch'").fetchone()
    connection.execute(COMMAND, ("old",))
    migrate(connection, NEWER)
    assert len(NEWER) == form(connection)[0]
    connection.execute(COMMAND, ("new",))
    migrate(connection)

    assert (before, ["old", "new"]) == (form(connection), ids(connection))
    assert epoch == connection.execute("SELECT value FROM facts WHERE name = 'epoch'").fetchone()


def test_it_goes_forth_and_back_as_often_as_wanted(connection):
    """The second update from what was taken back is like the first."""
    for _ in range(3):
        migrate(connection, NEWER)
        connection.execute("UPDATE commands SET colour = 'red'")
        migrate(connection)
    assert len(STEPS) == form(connection)[0]


@pytest.mark.parametrize("known", range(1, len(STEPS)))
def test_each_step_has_a_way_back(connection, known):
    """Whoever goes back finds the form that the version before made."""
    migrate(connection, STEPS[:known])
    before = form(connection)
    migrate(connection, STEPS)
    migrate(connection, STEPS[:known])

    assert before == form(connection)


def test_events_of_one_row_come_apart(connection):
    """The way back from version 2: each event is a row again, in its place, byte for byte."""
    bodies = [b'{"a":1}', '{"ü":2}'.encode(), b"{}", b'{"last":true}']
    migrate(connection)
    row = (PLACES_PER_TOPIC + 9, 5.0, b"\n".join(bodies), len(bodies))
    connection.execute("INSERT INTO events (place, written, body, count) VALUES (?, ?, ?, ?)", row)
    alone = (PLACES_PER_TOPIC + 10, 6.0, b"{}")
    connection.execute("INSERT INTO events (place, written, body) VALUES (?, ?, ?)", alone)
    migrate(connection, STEPS[:1])

    told = connection.execute("SELECT place, written, body FROM events ORDER BY place").fetchall()
    assert [*((PLACES_PER_TOPIC + n, 5.0, body) for n, body in enumerate(bodies, 6)), alone] == told


BROKEN = "DELETE FROM commands; no such thing;"


FORTH = (STEPS, (*STEPS, COLOUR, Step(BROKEN, "SELECT 1;")))
BACK = ((*STEPS, Step("CREATE TABLE more (a);", BROKEN), COLOUR), STEPS)


@pytest.mark.parametrize(("first", "then"), [FORTH, BACK], ids=["forth", "back"])
def test_a_step_that_fails_leaves_all_as_it_was(connection, first, then):
    """The version, the form and the rows, also of steps that went well before it."""
    migrate(connection, first)
    connection.execute(COMMAND, ("old",))
    before = form(connection)
    with pytest.raises(sqlite3.OperationalError):
        migrate(connection, then)
    connection.execute("ROLLBACK")

    assert (before, ["old"]) == (form(connection), ids(connection))


def test_one_way_back_that_is_missing_is_one_too_many(connection):
    """A newer file is used only when the way leads through all versions between."""
    migrate(connection, NEWER)
    assert "" == lack(connection)
    connection.execute("DELETE FROM facts WHERE name = ?", (f"back from {len(STEPS) + 1}",))

    assert f"(schema {len(NEWER)}, this one knows {len(STEPS)})" in lack(connection)
