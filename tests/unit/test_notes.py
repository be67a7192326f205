from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chunter_nsq.messages.events import Note
from chunter_nsq.notes import Notes
from chunter_nsq.schema import migrate


def opened():
    """A fresh journal in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection)
    return connection


@pytest.fixture
def connection():
    """One that is closed at the end."""
    connection = opened()
    yield connection
    connection.close()


@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.none() | st.text(max_size=3)), max_size=90), max_size=4))
def test_a_group_leaves_what_its_notes_one_by_one_would(groups):
    """Whatever is noted and forgotten, in whatever order: of each key the file has the last value."""
    connection, notes, wanted = opened(), Notes(), {}
    for group in groups:
        for key, value in group:
            notes.add(Note("zone", str(key), value))
            wanted[str(key)] = value
        notes.write(connection)
    found = dict(connection.execute("SELECT key, value FROM notes"))
    connection.close()

    assert {key: value for key, value in wanted.items() if value is not None} == found


def test_many_notes_take_few_statements(connection):
    """A hundred zones that change within one group are not a hundred turns for the interpreter."""
    notes, statements = Notes(), []
    connection.set_trace_callback(statements.append)
    for number in range(100):
        notes.add(Note("zone", str(number), "running"))
    notes.write(connection)

    assert 10 >= len(statements)
    assert {str(number) for number in range(100)} == notes.recall_keys(connection, "zone")


def test_what_a_group_noted_is_read_within_it(connection):
    """Who reads behind who wrote, in the same group, reads what was written."""
    notes = Notes()
    notes.add(Note("zone", "a", "running"))
    notes.add(Note("other", "b", "x"))

    assert {"a": "running"} == notes.recall(connection, "zone")
    notes.add(Note("zone", "a", None))
    assert ({}, {"b": "x"}) == (notes.recall_some(connection, "zone", ["a"]), notes.recall(connection, "other"))


def test_a_group_that_is_undone_notes_nothing(connection):
    """What it gathered is not written with the next one."""
    notes = Notes()
    notes.add(Note("zone", "a", "running"))
    notes.rolled_back()
    notes.add(Note("zone", "b", "stopped"))

    assert {"b": "stopped"} == notes.recall(connection, "zone")
