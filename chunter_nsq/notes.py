"""What publishers and commands remember: one value for each key of a space.

What a group remembers is gathered and written before its commit, many notes with one statement. The database's thread
gives the interpreter away with each statement and has to wait until it gets it back, so a storm of events whose notes
were written one by one would mostly wait. Of a key that a group notes several times only the last value is written.

Runs on the database's thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from itertools import chain

from chunter_nsq.messages.events import Note

_AT_ONCE = 16
_WRITE = "REPLACE INTO notes VALUES (?, ?, ?)"
_WRITE_MANY = _WRITE + ", (?, ?, ?)" * (_AT_ONCE - 1)


class Notes:
    """Notes in the file, and those that the group has not written yet."""

    def __init__(self) -> None:
        self._gathered: dict[tuple[str, str], str | None] = {}

    def add(self, note: Note) -> None:
        """Remember, or forget where the value is None."""
        self._gathered[note.space, note.key] = note.value

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what was gathered."""
        gathered, self._gathered = self._gathered, {}
        rows = [(space, key, value) for (space, key), value in gathered.items() if value is not None]
        whole = len(rows) - len(rows) % _AT_ONCE
        for start in range(0, whole, _AT_ONCE):
            connection.execute(_WRITE_MANY, tuple(chain.from_iterable(rows[start : start + _AT_ONCE])))
        for row in rows[whole:]:
            connection.execute(_WRITE, row)
        for about, value in gathered.items():
            if value is None:
                connection.execute("DELETE FROM notes WHERE space = ? AND key = ?", about)

    def rolled_back(self) -> None:
        """Nothing of the group was remembered."""
        self._gathered = {}

    def recall(self, connection: sqlite3.Connection, space: str) -> dict[str, str]:
        """All of a space, what this group gathered included."""
        self.write(connection)
        return dict(connection.execute("SELECT key, value FROM notes WHERE space = ?", (space,)).fetchall())

    def recall_some(self, connection: sqlite3.Connection, space: str, keys: Collection[str]) -> dict[str, str]:
        """Those of these keys."""
        self.write(connection)
        query = "SELECT key, value FROM notes WHERE space = ? AND key = ?"
        return dict(row for key in keys for row in connection.execute(query, (space, key)))

    def recall_keys(self, connection: sqlite3.Connection, space: str) -> set[str]:
        """What something is remembered of in a space."""
        self.write(connection)
        return {key for (key,) in connection.execute("SELECT key FROM notes WHERE space = ?", (space,))}
